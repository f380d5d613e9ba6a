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

import java.net.InetSocketAddress;
import java.util.LinkedHashMap;
import java.util.Map;

import org.springframework.boot.actuate.info.Info;
import org.springframework.boot.actuate.info.InfoContributor;

import io.callosum.server.CallosumServer;

/**
 * {@link InfoContributor} for the address and protocol of a {@link CallosumServer}.
 */
final class CallosumInfoContributor implements InfoContributor {

	private final CallosumServer server;

	CallosumInfoContributor(CallosumServer server) {
		this.server = server;
	}

	@Override
	public void contribute(Info.Builder builder) {
		Map<String, Object> details = new LinkedHashMap<>();
		details.put("protocol", "callosum");
		InetSocketAddress address = this.server.address();
		if (address != null) {
			details.put("address", ServerView.toString(address));
			details.put("port", address.getPort());
		}
		builder.withDetail("callosum", details);
	}

}
