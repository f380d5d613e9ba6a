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

import java.io.IOException;
import java.io.UncheckedIOException;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.event.EventListener;

import io.callosum.server.ServerStartedEvent;
import io.callosum.server.SlotFreeEvent;

/**
 * An application without a web server, for a process of its own. Closes its context when
 * its standard input ends.
 */
@Configuration(proxyBeanMethods = false)
@EnableAutoConfiguration
class StandaloneApplication {

	public static void main(String[] args) {
		ConfigurableApplicationContext context = SpringApplication.run(StandaloneApplication.class, args);
		Thread thread = new Thread(() -> {
			try {
				System.in.transferTo(System.out);
			}
			catch (IOException ex) {
				throw new UncheckedIOException(ex);
			}
			context.close();
		});
		thread.setDaemon(true);
		thread.start();
	}

	@EventListener
	void started(ServerStartedEvent event) {
		System.out.println("PORT " + event.getServer().address().getPort());
	}

	@EventListener
	void slotFree(SlotFreeEvent event) {
		System.out.println("FREE " + event.getSlot());
	}

}
