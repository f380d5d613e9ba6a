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

import java.nio.charset.StandardCharsets;
import java.util.Set;

import reactor.core.publisher.Mono;

import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpMethod;
import org.springframework.http.HttpStatus;
import org.springframework.http.MediaType;
import org.springframework.http.server.reactive.ServerHttpRequest;
import org.springframework.http.server.reactive.ServerHttpResponse;
import org.springframework.stereotype.Component;
import org.springframework.web.server.ServerWebExchange;
import org.springframework.web.server.WebFilter;
import org.springframework.web.server.WebFilterChain;

/**
 * Rejects requests from other sites whose pages run in the same browser. A site whose own
 * name resolves to this machine is recognized by {@code Host}, any other by
 * {@code Origin}.
 */
@Component
class LocalOnlyFilter implements WebFilter {

	@Override
	public Mono<Void> filter(ServerWebExchange exchange, WebFilterChain chain) {
		HttpHeaders response = exchange.getResponse().getHeaders();
		response.set("Content-Security-Policy",
				"default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
		response.set("Cross-Origin-Resource-Policy", "same-origin");
		response.set("Referrer-Policy", "no-referrer");
		response.set("X-Content-Type-Options", "nosniff");
		if (!isLocal(exchange.getRequest())) {
			return reject(exchange.getResponse(), port(exchange.getRequest()));
		}
		return chain.filter(exchange);
	}

	private static Mono<Void> reject(ServerHttpResponse response, String port) {
		response.setStatusCode(HttpStatus.FORBIDDEN);
		response.getHeaders().setContentType(MediaType.TEXT_PLAIN);
		String reason = "Use http://localhost" + port + ", and send it as the Origin header of what is not a GET\n";
		return response.writeWith(Mono.just(response.bufferFactory().wrap(reason.getBytes(StandardCharsets.UTF_8))));
	}

	private static boolean isLocal(ServerHttpRequest request) {
		String port = port(request);
		String host = request.getHeaders().getFirst(HttpHeaders.HOST);
		String origin = request.getHeaders().getOrigin();
		return host != null && Set.of("localhost" + port, "127.0.0.1" + port, "[::1]" + port).contains(host)
				&& (origin == null ? !changesSomething(request) : origin.equals("http://" + host));
	}

	/**
	 * Return the port as it is in a URL, which leaves out that of HTTP.
	 */
	private static String port(ServerHttpRequest request) {
		int port = request.getLocalAddress().getPort();
		return (port != 80) ? ":" + port : "";
	}

	/**
	 * The page of another site could make the browser send such a request, but only with
	 * its origin. The actuator has rules of its own.
	 */
	private static boolean changesSomething(ServerHttpRequest request) {
		return !Set.of(HttpMethod.GET, HttpMethod.HEAD).contains(request.getMethod())
				&& !request.getPath().value().startsWith("/actuator/");
	}

}
