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

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.cert.X509Certificate;
import java.util.List;

import javax.net.ssl.SSLPeerUnverifiedException;

import io.netty.pkitesting.X509Bundle;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import org.springframework.boot.test.context.runner.ApplicationContextRunner;

import io.callosum.client.CallosumClient;
import io.callosum.client.CallosumLease;
import io.callosum.client.ClientSnapshot;
import io.callosum.client.ClientSnapshot.Server;
import io.callosum.server.TestTls;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for clients with TLS.
 */
class ClientSslTests {

	private static final X509Bundle AUTHORITY = TestTls.authority("Right");

	@TempDir
	private Path directory;

	private ApplicationContextRunner runner;

	@BeforeEach
	void writeBundles() {
		this.runner = TestApplications.runner()
			.withPropertyValues("spring.ssl.bundle.watch.file.quiet-period=50ms", "callosum.server.ssl.bundle=server",
					"callosum.client.ssl.bundle=client",
					"callosum.client.servers=localhost:${local.callosum.server.port}",
					"callosum.server.host=localhost");
		for (String name : new String[] { "server", "client" }) {
			write(name, issue(name, AUTHORITY, "localhost"));
			this.runner = this.runner.withPropertyValues(
					"spring.ssl.bundle.pem." + name + ".keystore.certificate=" + file(name + ".crt"),
					"spring.ssl.bundle.pem." + name + ".keystore.private-key=" + file(name + ".key"),
					"spring.ssl.bundle.pem." + name + ".truststore.certificate=" + file("authority.crt"),
					"spring.ssl.bundle.pem." + name + ".reload-on-update=true");
		}
		write("authority.crt", AUTHORITY.getCertificatePEM());
	}

	@ParameterizedTest
	@ValueSource(booleans = { true, false })
	void aBundleIsAllThatTlsNeeds(boolean nativeTransport) {
		this.runner.withPropertyValues("callosum.client.native-transport=" + nativeTransport).run((context) -> {
			CallosumClient client = context.getBean(CallosumClient.class);
			assertThat(TestApplications.echo(client, "hello")).isEqualTo("hello");
			assertThat(certificateOfServer(client)).isEqualTo("CN=server");
		});
	}

	@Test
	void withoutABundleWhatTheJvmTrustsCounts() {
		TestApplications.runner()
			.withPropertyValues("callosum.client.ssl.enabled=true",
					"callosum.client.servers=localhost:${local.callosum.server.port}", "callosum.server.host=localhost",
					"callosum.server.ssl.bundle=server",
					"spring.ssl.bundle.pem.server.keystore.certificate=" + file("server.crt"),
					"spring.ssl.bundle.pem.server.keystore.private-key=" + file("server.key"))
			.run((context) -> awaitUnreachable(context.getBean(CallosumClient.class), "certification path"));
	}

	@Test
	void aCertificateOfTheClientIsSent() {
		this.runner.withPropertyValues("callosum.server.ssl.client-auth=need")
			.run((context) -> assertThat(TestApplications.echo(context.getBean(CallosumClient.class), "hello"))
				.isEqualTo("hello"));
	}

	@Test
	void theNameOfTheServerIsVerifiedUnlessTurnedOff() {
		write("server", issue("server", AUTHORITY, "other.example.org"));
		this.runner
			.withPropertyValues("callosum.client.service.lax.servers=${callosum.client.servers}",
					"callosum.client.service.lax.ssl.verify-hostname=false")
			.run((context) -> {
				CallosumClients clients = context.getBean(CallosumClients.class);
				assertThat(TestApplications.echo(clients.get("lax"), "hello")).isEqualTo("hello");
				awaitUnreachable(clients.get("default"), "");
				assertThat(clients.get("default").snapshot().members()).isEmpty();
			});
	}

	@Test
	void aNewBundleIsForNewConnectionsAndTheOpenOnesStay() {
		this.runner
			.withPropertyValues("callosum.client.pool-size=1", "callosum.client.roving-interval=1h",
					"callosum.server.ssl.client-auth=need")
			.run((context) -> {
				CallosumClient client = context.getBean(CallosumClient.class);
				TestApplications.awaitFull(client);
				String connection = client.snapshot().members().get(0).connectionId();
				// A new authority for both: a client with the old bundle cannot connect
				X509Bundle authority = TestTls.authority("New");
				write("authority.crt", authority.getCertificatePEM());
				write("server", issue("new server", authority, "localhost"));
				write("client", issue("new client", authority, "localhost"));
				assertThat(TestApplications.echo(client, "hello")).isEqualTo("hello");
				assertThat(client.snapshot().members()).extracting(ClientSnapshot.Member::connectionId)
					.containsExactly(connection);
				TestApplications.await(() -> {
					CallosumLease lease = client.acquire().block(TestApplications.TIMEOUT);
					String name = name(lease);
					lease.discard(null);
					assertThat(name).isEqualTo("CN=new server");
				});
			});
	}

	private static void awaitUnreachable(CallosumClient client, String failure) {
		// On a busy machine, the first handshake may exceed the connect timeout
		TestApplications.await(() -> {
			List<Server> servers = client.snapshot().servers();
			assertThat(servers).isNotEmpty().allSatisfy((server) -> {
				assertThat(server.state()).isEqualTo(Server.State.UNREACHABLE);
				assertThat(server.lastFailure()).isNotNull();
			});
			assertThat(servers.toString()).contains(failure);
		});
	}

	private static String certificateOfServer(CallosumClient client) {
		CallosumLease lease = client.acquire().block(TestApplications.TIMEOUT);
		String name = name(lease);
		lease.release();
		return name;
	}

	private static String name(CallosumLease lease) {
		try {
			return ((X509Certificate) lease.sslSession().getPeerCertificates()[0]).getSubjectX500Principal().getName();
		}
		catch (SSLPeerUnverifiedException ex) {
			throw new IllegalStateException(ex);
		}
	}

	private static X509Bundle issue(String name, X509Bundle authority, String host) {
		return TestTls.issue(name, authority, (builder) -> builder.addSanDnsName(host));
	}

	private void write(String name, X509Bundle bundle) {
		write(name + ".key", bundle.getPrivateKeyPEM());
		write(name + ".crt", bundle.getCertificatePathPEM());
	}

	/**
	 * Write a file in one step, so that nothing reads half of it.
	 */
	private void write(String name, String content) {
		try {
			Path temporary = Files.writeString(this.directory.resolve(name + ".tmp"), content);
			Files.move(temporary, this.directory.resolve(name), StandardCopyOption.REPLACE_EXISTING,
					StandardCopyOption.ATOMIC_MOVE);
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

	private String file(String name) {
		return this.directory.resolve(name).toUri().toString();
	}

}
