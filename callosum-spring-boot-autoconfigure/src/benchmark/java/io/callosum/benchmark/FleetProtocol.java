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

package io.callosum.benchmark;

import java.util.Locale;

/**
 * The protocols that the servers of a fleet speak. A request is a line in all of them.
 */
enum FleetProtocol {

	/**
	 * A slot line, then lines.
	 */
	CALLOSUM,

	/**
	 * Lines.
	 */
	LINES,

	/**
	 * A unary method.
	 */
	GRPC;

	@Override
	public String toString() {
		return name().toLowerCase(Locale.ROOT);
	}

}
