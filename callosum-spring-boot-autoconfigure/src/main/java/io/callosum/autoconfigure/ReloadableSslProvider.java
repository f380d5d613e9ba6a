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

package io.callosum.autoconfigure;

import java.util.List;
import java.util.function.Supplier;

import org.apache.commons.logging.Log;
import org.apache.commons.logging.LogFactory;
import org.jspecify.annotations.Nullable;
import reactor.netty.tcp.SslProvider;

import org.springframework.boot.context.properties.source.InvalidConfigurationPropertyValueException;
import org.springframework.boot.ssl.NoSuchSslBundleException;
import org.springframework.boot.ssl.SslBundle;
import org.springframework.boot.ssl.SslBundles;
import org.springframework.util.Assert;

/**
 * The current {@link SslProvider} of an SSL bundle. It follows updates of the bundle; an
 * update that cannot be used is logged, and the previous provider stays in use.
 * <p>
 * Thread-safe.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
public final class ReloadableSslProvider implements Supplier<SslProvider> {

	private static final Log logger = LogFactory.getLog(ReloadableSslProvider.class);

	private final String key;

	private final String bundleName;

	private final Factory factory;

	private volatile @Nullable SslProvider current;

	private volatile boolean closed;

	private ReloadableSslProvider(String key, String bundleName, Factory factory) {
		this.key = key;
		this.bundleName = bundleName;
		this.factory = factory;
	}

	/**
	 * Create the provider of a bundle.
	 * @param key the configuration property that names the bundle
	 * @param bundleName the name of the bundle
	 * @param bundles all bundles
	 * @param factory creates a provider from the bundle, now and after each update
	 * @return a provider, which must be {@link #close() closed}
	 * @throws InvalidConfigurationPropertyValueException if there is no such bundle, or
	 * it cannot be used
	 */
	public static ReloadableSslProvider of(String key, String bundleName, SslBundles bundles, Factory factory) {
		ReloadableSslProvider provider = new ReloadableSslProvider(key, bundleName, factory);
		provider.initialize(bundles);
		return provider;
	}

	/**
	 * Synchronized, and in this order, so that no update is missed.
	 */
	private synchronized void initialize(SslBundles bundles) {
		try {
			bundles.addBundleUpdateHandler(this.bundleName, this::update);
			this.current = this.factory.create(bundles.getBundle(this.bundleName));
		}
		catch (NoSuchSslBundleException ex) {
			List<String> names = bundles.getBundleNames();
			throw new InvalidBundleException(this.key, this.bundleName, "There is no such SSL bundle. "
					+ (names.isEmpty() ? "Declare it under spring.ssl.bundle." : "Available bundles: " + names + "."),
					ex);
		}
		catch (Exception ex) {
			throw new InvalidBundleException(this.key, this.bundleName,
					"The SSL bundle cannot be used: " + describe(ex) + ".", ex);
		}
	}

	private synchronized void update(SslBundle bundle) {
		if (this.closed) {
			return;
		}
		try {
			this.current = this.factory.create(bundle);
			logger.info("New connections use the updated SSL bundle '" + this.bundleName + "' (" + this.key + ")");
		}
		catch (Exception ex) {
			logger.error("SSL bundle '" + this.bundleName + "' (" + this.key + ") was updated, but cannot be used: "
					+ describe(ex) + ". The previous version stays in use");
		}
	}

	/**
	 * Return the provider for new connections.
	 */
	@Override
	public SslProvider get() {
		SslProvider current = this.current;
		Assert.state(current != null, "Not initialized");
		return current;
	}

	/**
	 * Ignore further updates: the bundles may outlive the application context.
	 */
	public void close() {
		this.closed = true;
	}

	/**
	 * Return the messages of an exception and its causes, because the outermost message
	 * of a bundle's exception has little detail.
	 */
	private static String describe(Throwable error) {
		StringBuilder description = new StringBuilder(String.valueOf(error.getMessage()));
		for (Throwable cause = error.getCause(); cause != null; cause = cause.getCause()) {
			if (cause.getMessage() != null && description.indexOf(cause.getMessage()) < 0) {
				description.append(": ").append(cause.getMessage());
			}
		}
		return description.toString();
	}

	/**
	 * Creates a provider from an SSL bundle.
	 */
	@FunctionalInterface
	public interface Factory {

		/**
		 * Create a provider.
		 * @param bundle the bundle
		 * @return a provider that works
		 * @throws Exception if the bundle cannot be used; the message contains the reason
		 */
		SslProvider create(SslBundle bundle) throws Exception;

	}

	/**
	 * Adds a cause, for which the superclass has no constructor in Spring Boot 4.0.
	 */
	private static final class InvalidBundleException extends InvalidConfigurationPropertyValueException {

		private final Exception cause;

		private InvalidBundleException(String key, String bundle, String reason, Exception cause) {
			super(key, bundle, reason);
			this.cause = cause;
		}

		@Override
		public synchronized Throwable getCause() {
			return this.cause;
		}

	}

}
