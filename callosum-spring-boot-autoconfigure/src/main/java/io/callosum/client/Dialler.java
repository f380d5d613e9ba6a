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

package io.callosum.client;

import reactor.core.Disposable;

/**
 * Opens connections. Implemented by the network and by the simulator.
 */
interface Dialler {

	/**
	 * Begin to open a connection to {@link Dial#server()}. Returns at once and calls
	 * neither method of the dial within this call. Later calls either
	 * {@link Dial#connected} or {@link Dial#failed}, once, on any thread, within the
	 * connect timeout and the slot timeout.
	 * @param dial the dial
	 * @return abandons the attempt: whatever is open is closed at once, and no method of
	 * the dial needs to be called any more. The pool may dispose it at any time, on any
	 * thread, even after the end, when it has no effect
	 */
	Disposable dial(Dial dial);

}
