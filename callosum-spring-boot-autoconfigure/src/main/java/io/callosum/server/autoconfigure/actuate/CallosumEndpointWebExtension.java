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

package io.callosum.server.autoconfigure.actuate;

import org.springframework.boot.actuate.endpoint.annotation.DeleteOperation;
import org.springframework.boot.actuate.endpoint.annotation.Selector;
import org.springframework.boot.actuate.endpoint.web.WebEndpointResponse;
import org.springframework.boot.actuate.endpoint.web.annotation.EndpointWebExtension;

/**
 * Maps the result of {@link CallosumEndpoint#closeConnection} to an HTTP status.
 */
@EndpointWebExtension(endpoint = CallosumEndpoint.class)
class CallosumEndpointWebExtension {

	private final CallosumEndpoint endpoint;

	CallosumEndpointWebExtension(CallosumEndpoint endpoint) {
		this.endpoint = endpoint;
	}

	@DeleteOperation
	WebEndpointResponse<Void> closeConnection(@Selector String connectionId) {
		boolean closed = this.endpoint.closeConnection(connectionId);
		return new WebEndpointResponse<>(
				closed ? WebEndpointResponse.STATUS_NO_CONTENT : WebEndpointResponse.STATUS_NOT_FOUND);
	}

}
