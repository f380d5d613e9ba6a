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

/**
 * The Callosum server, its events and its extension points. Usable without Spring Boot.
 * <p>
 * A {@link io.callosum.server.CallosumServer} assigns a slot to each connection and
 * publishes events. The events of one connection are published in this order, each one
 * after the listeners of the previous one have returned:
 * <ol>
 * <li>{@link io.callosum.server.SlotRequestEvent}: the connection asks for a slot. If no
 * listener answers, the {@link io.callosum.server.SlotAllocator} does.</li>
 * <li>{@link io.callosum.server.ConnectionEvent}: the slot line has been written. Then
 * the {@link io.callosum.server.ConnectionHandler}, if there is one, is called.</li>
 * <li>{@link io.callosum.server.SlotFreeEvent}: the connection has ended. The slot is
 * free when the listeners have returned.</li>
 * </ol>
 * Each slot that was assigned has exactly one {@code SlotFreeEvent}, even if there was no
 * {@code ConnectionEvent}. A connection that is refused before it has a slot has neither.
 * <p>
 * {@link io.callosum.server.ServerStartedEvent},
 * {@link io.callosum.server.ServerStoppingEvent} and
 * {@link io.callosum.server.ServerStoppedEvent} report the state of the server, and
 * {@link io.callosum.server.ServerErrorEvent} reports failures.
 * <p>
 * An echo server: <pre class="code">
 * CallosumServer server = CallosumServer.builder()
 * 	.port(4040)
 * 	.connectionHandler((connection) -&gt; connection.outbound()
 * 		.send(connection.inbound().receive().retain())
 * 		.then())
 * 	.eventPublisher((event) -&gt; System.out.println(event))
 * 	.build();
 * server.start();
 * </pre>
 */
@NullMarked
package io.callosum.server;

import org.jspecify.annotations.NullMarked;
