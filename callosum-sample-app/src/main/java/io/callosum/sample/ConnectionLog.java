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

package io.callosum.sample;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import org.springframework.context.event.EventListener;
import org.springframework.stereotype.Component;

import io.callosum.server.ConnectionEvent;
import io.callosum.server.ServerErrorEvent;
import io.callosum.server.SlotFreeEvent;
import io.callosum.server.SlotRequestEvent;

/**
 * Logs the life of each connection. Listeners run on the event loop of the connection and
 * must not block.
 */
@Component
class ConnectionLog {

	private static final Logger logger = LoggerFactory.getLogger(ConnectionLog.class);

	@EventListener
	void requested(SlotRequestEvent event) {
		// Could call event.assign(slot); by default, the lowest free slot is assigned
		logger.debug("{} asks for a slot", event.getRequest().remoteAddress());
	}

	@EventListener
	void connected(ConnectionEvent event) {
		logger.info("Slot {} is assigned to {}", event.getSlot(), event.getConnection().remoteAddress());
	}

	@EventListener
	void freed(SlotFreeEvent event) {
		logger.info("Slot {} is free: {}", event.getSlot(), event.getReason());
	}

	@EventListener
	void failed(ServerErrorEvent event) {
		// The server has already logged it, at a limited rate
		logger.debug("{}", event);
	}

}
