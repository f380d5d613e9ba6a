/*
 * Copyright 2026 the Callosum authors
 *
 * Licensed under the Apache License, Version 2.0 (the "License");
 * you may not use this file except in compliance with the License.
 * You may obtain a copy of the License at
 *
 *      https://www.apache.org/licenses/LICENSE-2.0
 *
 * Unless required by applicable law or agreed to in writing, software
 * distributed under the License is distributed on an "AS IS" BASIS,
 * WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 * See the License for the specific language governing permissions and
 * limitations under the License.
 */

package io.callosum.example;

import java.net.InetAddress;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.autoconfigure.task.TaskExecutionAutoConfiguration;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;

import io.callosum.server.BlockingConnectionHandler;
import io.callosum.server.CallosumServer;
import io.callosum.server.autoconfigure.CallosumServerAutoConfiguration;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Runs a blocking handler with the executor that the reference shows.
 */
@ExtendWith(OutputCaptureExtension.class)
class ThreadPerConnectionTests {

	private static final int CONNECTIONS = 20;

	@Test
	void eachConnectionHasAThreadWithoutAWarning(CapturedOutput output) {
		CountDownLatch handled = new CountDownLatch(CONNECTIONS);
		new ApplicationContextRunner()
			.withConfiguration(
					AutoConfigurations.of(CallosumServerAutoConfiguration.class, TaskExecutionAutoConfiguration.class))
			.withPropertyValues("callosum.server.host=127.0.0.1", "callosum.server.port=0")
			.withUserConfiguration(ThreadPerConnection.class)
			.withBean(BlockingConnectionHandler.class, () -> (connection) -> {
				handled.countDown();
				handled.await();
			})
			.run((context) -> {
				assertThat(context).hasBean("applicationTaskExecutor");
				List<Socket> sockets = new ArrayList<>();
				for (int i = 0; i < CONNECTIONS; i++) {
					sockets.add(new Socket(InetAddress.getLoopbackAddress(),
							context.getBean(CallosumServer.class).address().getPort()));
				}
				assertThat(handled.await(30, TimeUnit.SECONDS)).isTrue();
				for (Socket socket : sockets) {
					socket.close();
				}
			});
		assertThat(output).doesNotContain("keeps a thread of");
	}

}
