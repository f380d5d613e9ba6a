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

package io.callosum.client.autoconfigure;

import java.util.LinkedHashMap;
import java.util.Map;

import org.springframework.boot.context.properties.ConfigurationProperties;

/**
 * Configuration properties of the default Callosum client, which additional clients
 * inherit, and of the additional clients.
 * <p>
 * Describes the properties; {@link ConfiguredClient} binds them.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
@ConfigurationProperties("callosum.client")
public class CallosumClientProperties extends ClientProperties {

	/**
	 * Whether to create the clients that the properties describe.
	 */
	private boolean enabled = true;

	/**
	 * Additional clients by name. Each has the properties of 'callosum.client' and
	 * inherits the values that it does not set, except for 'servers' and 'service-id'.
	 */
	private Map<String, ClientProperties> service = new LinkedHashMap<>();

	public boolean isEnabled() {
		return this.enabled;
	}

	public void setEnabled(boolean enabled) {
		this.enabled = enabled;
	}

	public Map<String, ClientProperties> getService() {
		return this.service;
	}

	public void setService(Map<String, ClientProperties> service) {
		this.service = service;
	}

}
