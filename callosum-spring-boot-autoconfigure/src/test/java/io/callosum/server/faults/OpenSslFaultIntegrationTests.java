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

package io.callosum.server.faults;

import java.nio.file.Path;
import java.time.Duration;

import javax.net.ssl.SSLSocket;

import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import io.callosum.server.TestTls;
import io.callosum.server.Transport;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Faults of TLS with OpenSSL, which Reactor Netty prefers if netty-tcnative is present.
 */
class OpenSslFaultIntegrationTests {

	@TempDir
	private Path directory;

	@ParameterizedTest
	@CsvSource({ "OpenSSL, Ed25519, false", "OpenSSL, RSASSA-PSS, false", "OpenSSL, EC, true", "OpenSSL, RSA, true",
			"JDK, Ed25519, true", "JDK, RSASSA-PSS, true" })
	void aCertificateThatTheTlsImplementationCannotServeStopsTheStart(String implementation, String keyType,
			boolean starts) throws Exception {
		Requirement.met(System.getProperty("os.arch").equals("amd64"), "netty-tcnative for this processor");
		Path store = this.directory.resolve("store.p12");
		Commands.run(Path.of(System.getProperty("java.home"), "bin", "keytool").toString(), "-genkeypair", "-keyalg",
				keyType, "-dname", "CN=test", "-alias", "test", "-keystore", store.toString(), "-storepass", "secret");
		ApplicationProcess.Launcher launcher = ApplicationProcess.launcher(this.directory, Transport.NIO)
			.options("-Dio.netty.handler.ssl.noOpenSsl=" + !implementation.equals("OpenSSL"))
			.server("ssl.bundle=test")
			.arguments("--spring.ssl.bundle.jks.test.keystore.location=file:" + store,
					"--spring.ssl.bundle.jks.test.keystore.password=secret");
		try (ApplicationProcess application = launcher.start()) {
			if (starts) {
				try (SSLSocket socket = TestTls.socketThatTrustsAll()) {
					socket.connect(application.address());
					assertThat(socket.getInputStream().readNBytes(3)).asString().isEqualTo("0\r\n");
				}
			}
			else {
				assertThat(application.endsWithin(Duration.ofMinutes(2))).isTrue();
				assertThat(application.output()).contains("APPLICATION FAILED TO START", "callosum.server.ssl.bundle",
						"A handshake fails: The bundle has no private key that fits");
			}
		}
	}

}
