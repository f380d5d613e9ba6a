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

package io.callosum.server;

import java.net.SocketAddress;

/**
 * A new connection that asks for its slot.
 *
 * @param connectionId the {@linkplain CallosumConnection#id() id} that the connection has
 * or will have
 * @param remoteAddress the address of the peer
 * @param localAddress the address that the peer connected to
 * @author The Callosum authors
 * @since 0.1.0
 */
public record SlotRequest(String connectionId, SocketAddress remoteAddress, SocketAddress localAddress) {
}
