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

package io.callosum.server.autoconfigure;

import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.KeyStore;
import java.security.KeyStoreException;
import java.security.Principal;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

import javax.net.ssl.ExtendedSSLSession;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.KeyManagerFactorySpi;
import javax.net.ssl.ManagerFactoryParameters;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedKeyManager;

import io.netty.pkitesting.CertificateBuilder;
import io.netty.pkitesting.X509Bundle;
import org.awaitility.Awaitility;
import org.awaitility.core.ThrowingRunnable;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.autoconfigure.ssl.SslAutoConfiguration;
import org.springframework.boot.context.properties.source.InvalidConfigurationPropertyValueException;
import org.springframework.boot.ssl.DefaultSslBundleRegistry;
import org.springframework.boot.ssl.NoSuchSslBundleException;
import org.springframework.boot.ssl.SslBundle;
import org.springframework.boot.ssl.SslBundles;
import org.springframework.boot.ssl.SslManagerBundle;
import org.springframework.boot.ssl.pem.PemSslStoreBundle;
import org.springframework.boot.ssl.pem.PemSslStoreDetails;
import org.springframework.boot.test.context.assertj.AssertableApplicationContext;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

import io.callosum.server.CallosumConnection;
import io.callosum.server.CallosumServer;
import io.callosum.server.ConnectionHandler;
import io.callosum.server.TestClient;
import io.callosum.server.TestTls;
import io.callosum.server.Transport;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

/**
 * Tests for TLS with SSL bundles.
 *
 * @author The Callosum authors
 */
@ExtendWith(OutputCaptureExtension.class)
class SslTests {

	private static final X509Bundle AUTHORITY = TestTls.authority("Right");

	private static final X509Bundle CLIENT = TestTls.issue("client", AUTHORITY);

	private static final X509Bundle WRONG_CLIENT = TestTls.issue("client", TestTls.authority("Wrong"));

	@TempDir
	private Path directory;

	private ApplicationContextRunner runner = new ApplicationContextRunner()
		.withConfiguration(AutoConfigurations.of(CallosumServerAutoConfiguration.class, SslAutoConfiguration.class))
		.withPropertyValues("callosum.server.host=127.0.0.1", "callosum.server.port=0",
				"spring.ssl.bundle.watch.file.quiet-period=50ms");

	@BeforeEach
	void writeBundles() {
		for (String name : new String[] { "main", "api", "wild" }) {
			write(name, TestTls.issue(name, AUTHORITY));
			this.runner = this.runner.withPropertyValues(
					"spring.ssl.bundle.pem." + name + ".keystore.certificate=" + file(name + ".crt"),
					"spring.ssl.bundle.pem." + name + ".keystore.private-key=" + file(name + ".key"),
					"spring.ssl.bundle.pem." + name + ".truststore.certificate=" + file("authority.crt"),
					"spring.ssl.bundle.pem." + name + ".reload-on-update=true");
		}
		write("authority.crt", AUTHORITY.getCertificatePEM());
	}

	// On and off

	@Test
	void aBundleIsAllThatTlsNeeds() {
		withTls().run((context) -> assertThat(certificate(context, null, null)).isEqualTo("CN=main"));
	}

	@Test
	void tlsIsOffWithoutABundleAndWhereItIsTurnedOff() {
		this.runner.run((context) -> assertThat(plainSlot(context)).isZero());
		withTls("ssl.enabled=false").run((context) -> {
			assertThat(plainSlot(context)).isZero();
			assertThat(context.getBeanFactory().containsSingleton("callosumServerSslProviders")).isFalse();
		});
		this.runner.withPropertyValues("callosum.server.ssl.enabled=false", "callosum.server.ssl.bundle=unknown")
			.run((context) -> assertThat(plainSlot(context)).isZero());
	}

	@Test
	void tlsWithoutABundleStopsTheStart() {
		this.runner.withPropertyValues("callosum.server.ssl.enabled=true")
			.run((context) -> assertInvalid(context, "callosum.server.ssl.enabled", "callosum.server.ssl.bundle"));
	}

	@Test
	void bundlesForNamesOnlyStopTheStart() {
		this.runner.withPropertyValues("callosum.server.ssl.server-name-bundles[api.example.org]=api")
			.run((context) -> assertInvalid(context, "callosum.server.ssl.server-name-bundles",
					"callosum.server.ssl.bundle"));
	}

	@Test
	void anUnknownBundleStopsTheStart() {
		this.runner.withPropertyValues("callosum.server.ssl.bundle=unknown")
			.run((context) -> assertThat(context).getFailure()
				.rootCause()
				.isInstanceOfSatisfying(NoSuchSslBundleException.class,
						(ex) -> assertThat(ex.getBundleName()).isEqualTo("unknown")));
		withTls("ssl.server-name-bundles[api.example.org]=unknown").run(
				(context) -> assertThat(context).getFailure().rootCause().isInstanceOf(NoSuchSslBundleException.class));
	}

	@Test
	void aBundleIsUnknownWhereThereAreNone() {
		new ApplicationContextRunner().withConfiguration(AutoConfigurations.of(CallosumServerAutoConfiguration.class))
			.withPropertyValues("callosum.server.port=0", "callosum.server.ssl.bundle=main")
			.run((context) -> assertThat(context).getFailure()
				.rootCause()
				.isInstanceOf(NoSuchSslBundleException.class));
	}

	@ParameterizedTest
	@CsvSource(delimiter = '|', textBlock = """
			crt | no certificate at all
			key | no key at all
			""")
	void aBundleThatCannotBeReadStopsTheStart(String extension, String content) {
		write("main." + extension, content);
		withTls().run((context) -> assertThat(context).hasFailed());
	}

	@Test
	void aKeyOfAnotherCertificateStopsTheStart() {
		write("main.key", TestTls.issue("other", AUTHORITY).getPrivateKeyPEM());
		withTls().run((context) -> assertInvalid(context, "callosum.server.ssl.bundle",
				"The private key does not match the certificate"));
	}

	@Test
	void aBundleWithoutACertificateStopsTheStart() {
		this.runner
			.withPropertyValues("spring.ssl.bundle.pem.trust.truststore.certificate=" + file("authority.crt"),
					"callosum.server.ssl.bundle=main", "callosum.server.ssl.server-name-bundles[api.example.org]=trust")
			.run((context) -> assertInvalid(context, "callosum.server.ssl.server-name-bundles[api.example.org]",
					"no private key"));
	}

	@ParameterizedTest
	@ValueSource(strings = { "enabled-protocols=TLSv9", "ciphers=TLS_MADE_UP" })
	void anOptionOfTheBundleThatIsNotSupportedStopsTheStart(String option) {
		withTls().withPropertyValues("spring.ssl.bundle.pem.main.options." + option)
			.run((context) -> assertInvalid(context, "callosum.server.ssl.bundle", "cannot be used"));
	}

	@Test
	void aServerThatTheApplicationBuildsHasTls() {
		withTls().withUserConfiguration(OwnServerConfiguration.class)
			.run((context) -> assertThat(certificate(context, null, null)).isEqualTo("CN=main"));
	}

	// What the properties and the bundle say

	@Test
	void theOptionsOfTheBundleCount() {
		withTls()
			.withPropertyValues("spring.ssl.bundle.pem.main.options.enabled-protocols=TLSv1.2",
					"spring.ssl.bundle.pem.main.options.ciphers=TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384")
			.run((context) -> {
				SSLSocket socket = connect(context, null, null);
				socket.startHandshake();
				assertThat(socket.getSession().getProtocol()).isEqualTo("TLSv1.2");
				assertThat(socket.getSession().getCipherSuite()).isEqualTo("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384");
				socket.close();
			});
	}

	@Test
	void aCertificateOfTheClientIsNotAskedForByDefault() {
		withTls().run((context) -> {
			assertThat(certificate(context, null, null)).isEqualTo("CN=main");
			assertThat(certificate(context, null, WRONG_CLIENT)).isEqualTo("CN=main");
		});
	}

	@Test
	void aCertificateOfTheClientThatIsWantedMayBeMissing() {
		withTls("ssl.client-auth=want").run((context) -> {
			assertThat(certificate(context, null, null)).isEqualTo("CN=main");
			assertThat(certificate(context, null, CLIENT)).isEqualTo("CN=main");
		});
	}

	@Test
	void aCertificateOfTheClientThatIsNeededMustBeThere() {
		withTls("ssl.client-auth=need").run((context) -> {
			assertThat(certificate(context, null, CLIENT)).isEqualTo("CN=main");
			assertThatExceptionOfType(UncheckedIOException.class).isThrownBy(() -> certificate(context, null, null));
			assertThatExceptionOfType(UncheckedIOException.class)
				.isThrownBy(() -> certificate(context, null, WRONG_CLIENT));
		});
	}

	@Test
	void aHandshakeIsTimedByTheProperty() {
		withTls("ssl.handshake-timeout=300ms").run((context) -> {
			try (TestClient client = new TestClient(port(context))) {
				assertThat(client.isRefused()).isTrue();
			}
		});
	}

	@Test
	void theStartSaysWhatProtectsThePort(CapturedOutput output) {
		withTls("ssl.client-auth=need", "max-connections=10", "max-connections-per-address=2",
				"allowed-addresses=127.0.0.1,10.0.0.0/8", "native-transport=false")
			.run((context) -> assertThat(output.getAll()).contains("(NIO, TLS with client certificates,"
					+ " at most 10 connections, at most 2 per address, 2 allowed addresses or ranges)"));
		this.runner.withPropertyValues("callosum.server.native-transport=false")
			.run((context) -> assertThat(output.getAll()).contains("(NIO)"));
	}

	// Server names

	@ParameterizedTest
	@CsvSource({ "api.example.org, api", "API.Example.ORG, api", "x.wild.example.org, wild", "X.WILD.example.org, wild",
			"x.y.wild.example.org, main", "other.example.org, main", "org, main", ", main" })
	void theBundleIsThatOfTheNameThatTheClientAsksFor(@Nullable String serverName, String bundle) {
		withTls("ssl.server-name-bundles[api.example.org]=api", "ssl.server-name-bundles[*.wild.example.org]=wild")
			.run((context) -> assertThat(certificate(context, serverName, null)).isEqualTo("CN=" + bundle));
	}

	@ParameterizedTest
	@ValueSource(strings = { "*", "*x.example.org", ".example.org", "my_service.internal", "api.example.org.",
			"-x.example.org", "*.my_service.internal", "10.0.0.1", "a b" })
	void aPatternThatMakesNoSenseStopsTheStart(String pattern) {
		withTls("ssl.server-name-bundles[" + pattern + "]=api").run((context) -> assertInvalid(context,
				"callosum.server.ssl.server-name-bundles[" + pattern + "]", "neither a server name nor a wildcard"));
	}

	@Test
	void theNamesInForceAreLogged(CapturedOutput output) {
		withTls("ssl.server-name-bundles[*.wild.example.org]=wild")
			.run((context) -> assertThat(output.getAll()).contains("{*.wild.example.org=wild}, otherwise 'main'"));
	}

	@ParameterizedTest
	@ValueSource(strings = { "server-name-bundles.*.internal.example.org", "serverNameBundles.*.internal.example.org",
			"server-name-bundles.api.*" })
	void aNameThatBindingTakesForAnotherStopsTheStart(String key) {
		String name = key.substring(key.indexOf('.') + 1);
		withTls("ssl." + key + "=api")
			.run((context) -> assertInvalid(context, "callosum.server.ssl." + key, "Write \"[" + name + "]\""));
	}

	@ParameterizedTest
	@ValueSource(strings = { "api.example.org", "API.example.org", "api-1.example.org" })
	void aNameThatBindingKeepsNeedsNoBrackets(String name) {
		withTls("ssl.server-name-bundles." + name + "=api")
			.run((context) -> assertThat(certificate(context, name, null)).isEqualTo("CN=api"));
	}

	// A handshake at the start

	@ParameterizedTest
	@CsvSource({ "one,", "ONE, the alias 'ONE' is not one of [one]" })
	void theAliasOfTheKeyCountsInItsLetters(String alias, @Nullable String reason) {
		withKeyStore("PKCS12", (store) -> setKey(store, "one", TestTls.issue("one", AUTHORITY)))
			.withPropertyValues("spring.ssl.bundle.jks.store.key.alias=" + alias)
			.run((context) -> {
				if (reason != null) {
					assertInvalid(context, "callosum.server.ssl.bundle", reason);
				}
				else {
					assertThat(certificate(context, null, null)).isEqualTo("CN=one");
				}
			});
	}

	@Test
	void aStaleEntryBesideTheRightAliasHarmsNothing() {
		withKeyStore("PKCS12", (store) -> {
			setKey(store, "one", TestTls.issue("one", AUTHORITY));
			store.setKeyEntry("stale", TestTls.issue("other", AUTHORITY).getKeyPair().getPrivate(),
					"secret".toCharArray(), TestTls.issue("stale", AUTHORITY).getCertificatePath());
		}).withPropertyValues("spring.ssl.bundle.jks.store.key.alias=one")
			.run((context) -> assertThat(certificate(context, null, null)).isEqualTo("CN=one"));
	}

	@Test
	void aKeyManagerThatListsNoAliasesIsOfUse() {
		withBundle(new SingleKeyManager(TestTls.issue("unlisted", AUTHORITY)))
			.run((context) -> assertThat(certificate(context, null, null)).isEqualTo("CN=unlisted"));
	}

	@Test
	void aKeyManagerThatHasNoKeyForAServerNameStopsTheStart() {
		withBundle(new SingleKeyManager(TestTls.issue("main", AUTHORITY), "api.example.org"))
			.run((context) -> assertThat(certificate(context, null, null)).isEqualTo("CN=main"));
		withBundle(new SingleKeyManager(TestTls.issue("main", AUTHORITY), "api.example.org"))
			.withPropertyValues("callosum.server.ssl.server-name-bundles[api.example.org]=own")
			.run((context) -> assertInvalid(context, "callosum.server.ssl.bundle",
					"A handshake for 'api.example.org' fails"));
	}

	@ParameterizedTest
	@EnumSource(names = { "ed25519", "rsa2048", "ecp384" })
	void everyKindOfKeyThatCanBeServedStarts(CertificateBuilder.Algorithm algorithm) throws Exception {
		X509Bundle bundle = new CertificateBuilder().algorithm(algorithm)
			.subject("CN=" + algorithm)
			.buildIssuedBy(AUTHORITY);
		write("main", bundle);
		withTls("ssl.client-auth=need")
			.run((context) -> assertThat(certificate(context, null, CLIENT)).isEqualTo("CN=" + algorithm));
	}

	@ParameterizedTest
	@ValueSource(strings = { "TLSv1.2", "TLSv1.3" })
	void aKeyOfAnotherCertificateIsFoundWithEveryProtocol(String protocol) {
		write("main.key", TestTls.issue("other", AUTHORITY).getPrivateKeyPEM());
		withTls("ssl.client-auth=need")
			.withPropertyValues("spring.ssl.bundle.pem.main.options.enabled-protocols=" + protocol)
			.run((context) -> assertInvalid(context, "callosum.server.ssl.bundle",
					"The private key does not match the certificate"));
	}

	@Test
	void aCipherThatTheKeyDoesNotFitStopsTheStart() {
		withTls()
			.withPropertyValues("spring.ssl.bundle.pem.main.options.enabled-protocols=TLSv1.2",
					"spring.ssl.bundle.pem.main.options.ciphers=TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256")
			.run((context) -> assertInvalid(context, "callosum.server.ssl.bundle",
					"no private key that fits its certificate, protocols and cipher suites"));
	}

	private ApplicationContextRunner withKeyStore(String type, KeyStoreContent content) {
		try {
			KeyStore store = KeyStore.getInstance(type);
			store.load(null, null);
			content.addTo(store);
			try (OutputStream out = Files.newOutputStream(this.directory.resolve("store"))) {
				store.store(out, "secret".toCharArray());
			}
		}
		catch (Exception ex) {
			throw new IllegalStateException(ex);
		}
		return this.runner.withPropertyValues("spring.ssl.bundle.jks.store.keystore.location=" + file("store"),
				"spring.ssl.bundle.jks.store.keystore.type=" + type,
				"spring.ssl.bundle.jks.store.keystore.password=secret", "callosum.server.ssl.bundle=store");
	}

	private static void setKey(KeyStore store, String alias, X509Bundle bundle) throws KeyStoreException {
		store.setKeyEntry(alias, bundle.getKeyPair().getPrivate(), "secret".toCharArray(), bundle.getCertificatePath());
	}

	private ApplicationContextRunner withBundle(KeyManager keyManager) {
		DefaultSslBundleRegistry bundles = new DefaultSslBundleRegistry();
		bundles.registerBundle("own", SslBundle.of(null, null, null, null,
				SslManagerBundle.of(keyManagerFactory(keyManager), trustManagerFactory())));
		return new ApplicationContextRunner()
			.withConfiguration(AutoConfigurations.of(CallosumServerAutoConfiguration.class))
			.withBean(SslBundles.class, () -> bundles)
			.withPropertyValues("callosum.server.host=127.0.0.1", "callosum.server.port=0",
					"callosum.server.ssl.bundle=own");
	}

	private static TrustManagerFactory trustManagerFactory() {
		try {
			return AUTHORITY.toTrustManagerFactory();
		}
		catch (Exception ex) {
			throw new IllegalStateException(ex);
		}
	}

	private static KeyManagerFactory keyManagerFactory(KeyManager keyManager) {
		return new KeyManagerFactory(new KeyManagerFactorySpi() {

			@Override
			protected void engineInit(KeyStore store, char[] password) {
			}

			@Override
			protected void engineInit(ManagerFactoryParameters parameters) {
			}

			@Override
			protected KeyManager[] engineGetKeyManagers() {
				return new KeyManager[] { keyManager };
			}

		}, null, "single") {
		};
	}

	// Reload

	@ParameterizedTest
	@EnumSource
	void aNewCertificateIsForNewConnectionsAndTheOpenOnesStay(Transport transport, CapturedOutput output) {
		ConnectionHandler echo = (connection) -> connection.outbound().send(connection.inbound().receive().retain());
		withTls("ssl.server-name-bundles[api.example.org]=api", "native-transport=" + transport.isNative())
			.withBean(ConnectionHandler.class, () -> echo)
			.run((context) -> {
				CallosumServer server = context.getBean(CallosumServer.class);
				SSLSocket open = connect(context, null, null);
				assertThat(read(open, 3)).isEqualTo("0\r\n");
				assertThat(server.connections()).hasSize(1);
				CallosumConnection connection = server.connections().iterator().next();
				write("main", TestTls.issue("new", AUTHORITY));
				awaitUntil(() -> assertThat(certificate(context, null, null)).isEqualTo("CN=new"));
				assertThat(certificate(context, "api.example.org", null)).isEqualTo("CN=api");
				write("api", TestTls.issue("new api", AUTHORITY));
				awaitUntil(() -> assertThat(certificate(context, "api.example.org", null)).isEqualTo("CN=new api"));
				assertThat(certificate(context, null, null)).isEqualTo("CN=new");
				assertThat(server.connections()).contains(connection);
				open.getOutputStream().write("hello".getBytes(StandardCharsets.US_ASCII));
				assertThat(read(open, 5)).isEqualTo("hello");
				assertThat(name(open)).isEqualTo("CN=main");
				open.close();
				assertThat(output.getAll()).contains("use the updated SSL bundle 'main' (callosum.server.ssl.bundle)")
					.doesNotContain("doesn't support SSL reloading");
			});
	}

	@Test
	void aBadNewCertificateIsLoggedOnceAndTheOldOneStays(CapturedOutput output) {
		withTls().run((context) -> {
			Path key = this.directory.resolve("main.key");
			String right = Files.readString(key);
			write("main.key", TestTls.issue("other", AUTHORITY).getPrivateKeyPEM());
			awaitUntil(() -> assertThat(output.getAll()).contains("The private key does not match the certificate"));
			assertThat(certificate(context, null, null)).isEqualTo("CN=main");
			write("main.crt", "garbage");
			awaitUntil(() -> assertThat(output.getAll().lines().filter((line) -> line.contains("ERROR"))).hasSize(2));
			assertThat(certificate(context, null, null)).isEqualTo("CN=main");
			// A restarted context continues to use it too
			context.stop();
			context.start();
			assertThat(certificate(context, null, null)).isEqualTo("CN=main");
			write("main.key", right);
			write("main", TestTls.issue("new", AUTHORITY));
			awaitUntil(() -> assertThat(certificate(context, null, null)).isEqualTo("CN=new"));
		});
	}

	@Test
	void aRestartedServerHasTheNewCertificate() {
		withTls().run((context) -> {
			write("main", TestTls.issue("new", AUTHORITY));
			awaitUntil(() -> assertThat(certificate(context, null, null)).isEqualTo("CN=new"));
			context.stop();
			context.start();
			assertThat(certificate(context, null, null)).isEqualTo("CN=new");
		});
	}

	@Test
	void bundlesThatOutliveTheContextAreLetGo(CapturedOutput output) {
		withTls().withUserConfiguration(CountingConfiguration.class).run((context) -> {
			CountingBundles bundles = context.getBean(CountingBundles.class);
			context.getBean(CallosumServer.Builder.class);
			context.getBean(CallosumServer.Builder.class);
			assertThat(bundles.handlers).hasSize(1);
			context.close();
			bundles.handlers.forEach((handler) -> handler.accept(bundles.getBundle("main")));
			assertThat(output.getAll()).doesNotContain("use the updated");
		});
	}

	private ApplicationContextRunner withTls(String... properties) {
		ApplicationContextRunner runner = this.runner.withPropertyValues("callosum.server.ssl.bundle=main");
		for (String property : properties) {
			runner = runner.withPropertyValues("callosum.server." + property);
		}
		return runner;
	}

	private static void assertInvalid(AssertableApplicationContext context, String key, String reason) {
		assertThat(context).hasFailed();
		Throwable failure = context.getStartupFailure();
		while (failure != null && !(failure instanceof InvalidConfigurationPropertyValueException)) {
			failure = failure.getCause();
		}
		assertThat(failure).isInstanceOfSatisfying(InvalidConfigurationPropertyValueException.class, (ex) -> {
			assertThat(ex.getName()).isEqualTo(key);
			assertThat(ex.getReason()).contains(reason);
		});
	}

	private static int plainSlot(AssertableApplicationContext context) {
		assertThat(context).hasNotFailed();
		try (TestClient client = new TestClient(port(context))) {
			return client.readSlot();
		}
	}

	private static int port(AssertableApplicationContext context) {
		return context.getEnvironment().getRequiredProperty("local.callosum.server.port", int.class);
	}

	/**
	 * Connect, wait for a slot, and return the name in the certificate of the server.
	 */
	private static String certificate(AssertableApplicationContext context, @Nullable String serverName,
			@Nullable X509Bundle client) {
		assertThat(context).hasNotFailed();
		try (SSLSocket socket = connect(context, serverName, client)) {
			byte[] line = new byte[10];
			int length = socket.getInputStream().read(line);
			if (length < 0) {
				throw new SSLException("Closed");
			}
			assertThat(new String(line, 0, length, StandardCharsets.US_ASCII)).matches("\\d+\r\n");
			return name(socket);
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

	private static String read(SSLSocket socket, int length) throws IOException {
		return new String(socket.getInputStream().readNBytes(length), StandardCharsets.US_ASCII);
	}

	private static String name(SSLSocket socket) throws IOException {
		return ((X509Certificate) socket.getSession().getPeerCertificates()[0]).getSubjectX500Principal().getName();
	}

	private static SSLSocket connect(AssertableApplicationContext context, @Nullable String serverName,
			@Nullable X509Bundle client) throws IOException {
		SSLSocket socket = (SSLSocket) sslContext(client).getSocketFactory().createSocket();
		if (serverName != null) {
			SSLParameters parameters = socket.getSSLParameters();
			parameters.setServerNames(List.of(new SNIHostName(serverName.getBytes(StandardCharsets.US_ASCII))));
			socket.setSSLParameters(parameters);
		}
		socket.setSoTimeout(30_000);
		socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port(context)), 30_000);
		return socket;
	}

	private static SSLContext sslContext(@Nullable X509Bundle client) {
		try {
			SSLContext context = SSLContext.getInstance("TLS");
			KeyManager[] keys = (client != null) ? client.toKeyManagerFactory().getKeyManagers() : null;
			context.init(keys, AUTHORITY.toTrustManagerFactory().getTrustManagers(), null);
			return context;
		}
		catch (Exception ex) {
			throw new IllegalStateException(ex);
		}
	}

	private void write(String name, X509Bundle bundle) {
		write(name + ".key", bundle.getPrivateKeyPEM());
		write(name + ".crt", bundle.getCertificatePathPEM());
	}

	private void write(String name, String content) {
		try {
			Path file = Files.createTempFile(this.directory, name, null);
			Files.writeString(file, content);
			// Not with REPLACE_EXISTING, which deletes the file first, so that it may be
			// missing when checked
			Files.move(file, this.directory.resolve(name), StandardCopyOption.ATOMIC_MOVE);
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

	private String file(String name) {
		return "file:" + this.directory.resolve(name);
	}

	private static void awaitUntil(ThrowingRunnable assertion) {
		Awaitility.await().atMost(Duration.ofSeconds(30)).untilAsserted(assertion);
	}

	@FunctionalInterface
	private interface KeyStoreContent {

		void addTo(KeyStore store) throws Exception;

	}

	/**
	 * Has one key, which it does not list, and does not offer to clients that request
	 * certain server names.
	 */
	private static final class SingleKeyManager extends X509ExtendedKeyManager {

		private final X509Bundle bundle;

		private final List<String> refusedServerNames;

		SingleKeyManager(X509Bundle bundle, String... refusedServerNames) {
			this.bundle = bundle;
			this.refusedServerNames = List.of(refusedServerNames);
		}

		@Override
		public @Nullable String chooseEngineServerAlias(String keyType, Principal[] issuers, SSLEngine engine) {
			boolean refused = ((ExtendedSSLSession) engine.getHandshakeSession()).getRequestedServerNames()
				.stream()
				.anyMatch((name) -> this.refusedServerNames
					.contains(new String(name.getEncoded(), StandardCharsets.US_ASCII)));
			return (!refused && keyType.equals("EC")) ? "only" : null;
		}

		@Override
		public String @Nullable [] getClientAliases(String keyType, Principal[] issuers) {
			return null;
		}

		@Override
		public @Nullable String chooseClientAlias(String[] keyTypes, Principal[] issuers, Socket socket) {
			return null;
		}

		@Override
		public String @Nullable [] getServerAliases(String keyType, Principal[] issuers) {
			return null;
		}

		@Override
		public @Nullable String chooseServerAlias(String keyType, Principal[] issuers, Socket socket) {
			return null;
		}

		@Override
		public X509Certificate[] getCertificateChain(String alias) {
			return this.bundle.getCertificatePath();
		}

		@Override
		public PrivateKey getPrivateKey(String alias) {
			return this.bundle.getKeyPair().getPrivate();
		}

	}

	@Configuration(proxyBeanMethods = false)
	static class OwnServerConfiguration {

		@Bean
		CallosumServer ownServer(CallosumServer.Builder builder) {
			return builder.build();
		}

	}

	@Configuration(proxyBeanMethods = false)
	static class CountingConfiguration {

		@Bean
		CountingBundles sslBundleRegistry(
				@Value("${spring.ssl.bundle.pem.main.keystore.certificate}") String certificate,
				@Value("${spring.ssl.bundle.pem.main.keystore.private-key}") String key) {
			return new CountingBundles(certificate, key);
		}

	}

	static class CountingBundles extends DefaultSslBundleRegistry implements SslBundles {

		private final List<Consumer<SslBundle>> handlers = new ArrayList<>();

		CountingBundles(String certificate, String key) {
			registerBundle("main", SslBundle
				.of(new PemSslStoreBundle(PemSslStoreDetails.forCertificate(certificate).withPrivateKey(key), null)));
		}

		@Override
		public void addBundleUpdateHandler(String name, Consumer<SslBundle> updateHandler) {
			this.handlers.add(updateHandler);
		}

	}

}
