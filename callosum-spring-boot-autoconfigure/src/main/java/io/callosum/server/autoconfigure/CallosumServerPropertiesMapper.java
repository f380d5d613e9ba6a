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

import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.stream.Stream;

import org.apache.commons.logging.Log;
import org.apache.commons.logging.LogFactory;
import org.jspecify.annotations.Nullable;

import org.springframework.beans.factory.BeanFactory;
import org.springframework.boot.autoconfigure.task.TaskExecutionAutoConfiguration;
import org.springframework.boot.context.properties.source.InvalidConfigurationPropertyValueException;
import org.springframework.context.Lifecycle;
import org.springframework.scheduling.concurrent.ThreadPoolTaskExecutor;

import io.callosum.autoconfigure.PropertiesMapper;
import io.callosum.server.CallosumServer;
import io.callosum.server.autoconfigure.CallosumServerProperties.ListenerExecution;

/**
 * Maps {@link CallosumServerProperties} to a {@link CallosumServer.Builder}.
 */
final class CallosumServerPropertiesMapper extends PropertiesMapper {

	private static final Log logger = LogFactory.getLog(CallosumServer.class);

	/**
	 * The first Java version with virtual threads.
	 */
	private static final int VIRTUAL_THREADS = 21;

	private static final String EXECUTOR_BEAN_NAME = "callosumTaskExecutor";

	private final CallosumServerProperties properties;

	private final BeanFactory beanFactory;

	CallosumServerPropertiesMapper(CallosumServerProperties properties, BeanFactory beanFactory) {
		this.properties = properties;
		this.beanFactory = beanFactory;
	}

	void applyTo(CallosumServer.Builder builder) {
		map("host", this.properties.getHost(), builder::host);
		map("port", this.properties.getPort(), builder::port);
		map("backlog", this.properties.getBacklog(), builder::backlog);
		map("max-connections", this.properties.getMaxConnections(), builder::maxConnections);
		map("max-connections-per-address", this.properties.getMaxConnectionsPerAddress(),
				builder::maxConnectionsPerAddress);
		map("max-pending-slot-requests", this.properties.getMaxPendingSlotRequests(), builder::maxPendingSlotRequests);
		map("read-ahead", this.properties.getReadAhead(), builder::readAhead);
		map("read-ahead-budget", this.properties.getReadAheadBudget(), builder::readAheadBudget);
		this.properties.getAllowedAddresses()
			.forEach((address) -> map("allowed-addresses", address,
					(value) -> builder.allowedAddresses(List.of(value))));
		builder.allowedAddresses(this.properties.getAllowedAddresses());
		map("weight", this.properties.getWeight(), builder::weight);
		map("warm-up", this.properties.getWarmUp(), builder::warmUp);
		map("slot-timeout", this.properties.getSlotTimeout(), builder::slotTimeout);
		map("idle-timeout", this.properties.getIdleTimeout(), builder::idleTimeout);
		map("write-timeout", this.properties.getWriteTimeout(), builder::writeTimeout);
		map("completion-timeout", this.properties.getCompletionTimeout(), builder::completionTimeout);
		mapKeepAlive(this.properties.getKeepAlive(), builder::keepAlive, builder::noKeepAlive);
		map("ssl.handshake-timeout", this.properties.getSsl().getHandshakeTimeout(), builder::sslHandshakeTimeout);
		map("shutdown-quiet-period", this.properties.getShutdownQuietPeriod(), builder::shutdownQuietPeriod);
		map("worker-threads", this.properties.getWorkerThreads(), builder::workerThreads);
		map("native-transport", this.properties.isNativeTransport(), builder::nativeTransport);
		if (this.properties.getListenerExecution() == ListenerExecution.TASK_EXECUTOR) {
			builder.listenerExecutor(listenerExecutor());
		}
	}

	@Override
	protected String key(String name) {
		return "callosum.server." + name;
	}

	/**
	 * Return the executor for a blocking handler.
	 * @return an executor, or {@code null} for a thread per connection
	 */
	@Nullable Executor blockingHandlerExecutor() {
		String name = (Runtime.version().feature() < VIRTUAL_THREADS) ? executorName() : null;
		if (name == null) {
			return null;
		}
		Executor executor = this.beanFactory.getBean(name, Executor.class);
		Integer threads = maxThreads(executor);
		if (threads != null) {
			logger.warn("The BlockingConnectionHandler keeps a thread of '" + name + "' for each connection, and"
					+ " there are at most " + threads
					+ " threads: further connections wait. Use Java 21 or later, or define a bean '"
					+ EXECUTOR_BEAN_NAME + "' without a limit");
		}
		return rejectWhilePaused(executor);
	}

	private static @Nullable Integer maxThreads(Executor executor) {
		if (!(executor instanceof ThreadPoolTaskExecutor pool)) {
			return null;
		}
		int threads = (pool.getQueueCapacity() > 0) ? pool.getCorePoolSize() : pool.getMaxPoolSize();
		return (threads < Integer.MAX_VALUE) ? threads : null;
	}

	private @Nullable String executorName() {
		return Stream.of(EXECUTOR_BEAN_NAME, TaskExecutionAutoConfiguration.APPLICATION_TASK_EXECUTOR_BEAN_NAME)
			.filter(this.beanFactory::containsBean)
			.findFirst()
			.orElse(null);
	}

	private Executor listenerExecutor() {
		String name = executorName();
		if (name != null) {
			return rejectWhilePaused(this.beanFactory.getBean(name, Executor.class));
		}
		throw new InvalidConfigurationPropertyValueException(key("listener-execution"), "task-executor",
				"There is no bean '" + EXECUTOR_BEAN_NAME + "' or '"
						+ TaskExecutionAutoConfiguration.APPLICATION_TASK_EXECUTOR_BEAN_NAME
						+ "' to run listeners on. Spring Boot defines the latter unless the application has an"
						+ " executor of its own.");
	}

	/**
	 * Reject tasks while a Spring executor is paused. Unlike this server, Spring's
	 * executors pause with the context, and depending on their phase they may stop before
	 * the server. A paused executor accepts tasks but runs them only after the next
	 * start, which is too late for a connection, or for an event that the stop waits for.
	 */
	private static Executor rejectWhilePaused(Executor executor) {
		if (!(executor instanceof Lifecycle lifecycle)) {
			return executor;
		}
		return (task) -> {
			if (!lifecycle.isRunning()) {
				throw new RejectedExecutionException("The executor is paused");
			}
			executor.execute(task);
		};
	}

}
