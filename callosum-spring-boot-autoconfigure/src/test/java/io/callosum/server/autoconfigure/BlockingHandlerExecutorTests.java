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

package io.callosum.server.autoconfigure;

import java.net.Socket;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledForJreRange;
import org.junit.jupiter.api.condition.JRE;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import org.springframework.beans.factory.support.AbstractBeanDefinition;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.autoconfigure.task.TaskExecutionAutoConfiguration;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;
import org.springframework.core.task.SimpleAsyncTaskExecutor;
import org.springframework.scheduling.concurrent.ThreadPoolTaskExecutor;

import io.callosum.server.BlockingConnectionHandler;
import io.callosum.server.CallosumServer;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for the choice of the threads that a {@link BlockingConnectionHandler} runs on.
 */
@ExtendWith(OutputCaptureExtension.class)
class BlockingHandlerExecutorTests {

	private static final String WARNING = "The BlockingConnectionHandler keeps a thread of ";

	private final CompletableFuture<String> thread = new CompletableFuture<>();

	private final ApplicationContextRunner contextRunner = new ApplicationContextRunner()
		.withConfiguration(AutoConfigurations.of(CallosumServerAutoConfiguration.class))
		.withPropertyValues("callosum.server.host=127.0.0.1", "callosum.server.port=0")
		.withBean(BlockingConnectionHandler.class,
				() -> (connection) -> this.thread.complete(Thread.currentThread().toString()));

	@Test
	@EnabledForJreRange(max = JRE.JAVA_20)
	void withoutVirtualThreadsAndExecutorsEachConnectionHasAThread(CapturedOutput output) {
		verifyThread(this.contextRunner, "callosum-handler-");
		assertThat(output).doesNotContain(WARNING);
	}

	@Test
	@EnabledForJreRange(max = JRE.JAVA_20)
	void withoutVirtualThreadsTheExecutorOfTheApplicationIsUsedAndItsLimitWarnedOf(CapturedOutput output) {
		verifyThread(this.contextRunner.withConfiguration(AutoConfigurations.of(TaskExecutionAutoConfiguration.class)),
				"task-1");
		assertThat(output).contains(WARNING + "'applicationTaskExecutor'", "there are at most 8 threads:");
	}

	@Test
	@EnabledForJreRange(max = JRE.JAVA_20)
	void withoutVirtualThreadsTheExecutorOfCallosumComesFirst(CapturedOutput output) {
		verifyThread(this.contextRunner.withConfiguration(AutoConfigurations.of(TaskExecutionAutoConfiguration.class))
			.withBean("callosumTaskExecutor", Executor.class, () -> new SimpleAsyncTaskExecutor("own-"),
					(definition) -> ((AbstractBeanDefinition) definition).setDefaultCandidate(false)),
				"own-1");
		assertThat(output).doesNotContain(WARNING);
	}

	@ParameterizedTest
	@CsvSource({ "2, 5, 100, 2", "2, 5, 0, 5", "2, 2147483647, 0, " })
	@EnabledForJreRange(max = JRE.JAVA_20)
	void aPoolIsWarnedOfByTheNumberOfItsThreads(int core, int max, int queue, Integer warned, CapturedOutput output) {
		ThreadPoolTaskExecutor pool = new ThreadPoolTaskExecutor();
		pool.setCorePoolSize(core);
		pool.setMaxPoolSize(max);
		pool.setQueueCapacity(queue);
		pool.setThreadNamePrefix("pool-");
		verifyThread(this.contextRunner.withBean("callosumTaskExecutor", ThreadPoolTaskExecutor.class, () -> pool),
				"pool-1");
		if (warned != null) {
			assertThat(output).contains("'callosumTaskExecutor'", "there are at most " + warned + " threads:");
		}
		else {
			assertThat(output).doesNotContain(WARNING);
		}
	}

	@Test
	@EnabledForJreRange(min = JRE.JAVA_21)
	void withVirtualThreadsEachConnectionHasOneWhateverTheExecutors(CapturedOutput output) {
		verifyThread(this.contextRunner.withConfiguration(AutoConfigurations.of(TaskExecutionAutoConfiguration.class)),
				"VirtualThread");
		assertThat(output).doesNotContain(WARNING);
	}

	private void verifyThread(ApplicationContextRunner runner, String expected) {
		runner.run((context) -> {
			CallosumServer server = context.getBean(CallosumServer.class);
			try (Socket socket = new Socket(server.address().getAddress(), server.address().getPort())) {
				assertThat(socket.getInputStream().read()).isEqualTo('0');
				assertThat(this.thread.get(30, TimeUnit.SECONDS)).contains(expected);
			}
		});
	}

}
