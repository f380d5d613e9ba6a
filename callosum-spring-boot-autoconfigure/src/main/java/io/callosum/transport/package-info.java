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
 * A single TCP connection, for a server or a client: read-ahead, timeouts, the slot line,
 * the end of a channel, and the threads on which application code runs.
 * <p>
 * Not API: the types are public for the other packages of this library, and may change in
 * any release. This package uses neither the server nor the client.
 */
@NullMarked
package io.callosum.transport;

import org.jspecify.annotations.NullMarked;
