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

import java.lang.reflect.Method;
import java.util.LinkedHashMap;
import java.util.Map;

import org.jspecify.annotations.Nullable;

import org.springframework.context.ApplicationContext;
import org.springframework.context.ApplicationEvent;
import org.springframework.context.ApplicationListener;
import org.springframework.context.event.ApplicationEventMulticaster;
import org.springframework.context.event.ApplicationListenerMethodAdapter;
import org.springframework.context.support.AbstractApplicationContext;
import org.springframework.core.ResolvableType;
import org.springframework.core.annotation.AnnotatedElementUtils;
import org.springframework.scheduling.annotation.Async;
import org.springframework.scheduling.config.TaskManagementConfigUtils;

import io.callosum.server.CallosumServerEvent;
import io.callosum.server.SlotRequestEvent;

/**
 * Verifies that listeners of {@link SlotRequestEvent} can decide. They cannot if they are
 * called on another thread or if their exceptions are swallowed: the allocator would
 * decide, and a listener that refuses a connection by throwing would admit every client.
 * <p>
 * The multicaster may be of any class, so it is probed: a listener of a private event
 * records the thread that calls it, and throws. Listeners of all events are ignored.
 */
final class SlotRequestListenerVerifier {

	private static final ResolvableType SLOT_REQUEST = ResolvableType.forClass(SlotRequestEvent.class);

	private static final ResolvableType ANY_EVENT = ResolvableType.forClass(ProbeEvent.class);

	private final ApplicationContext context;

	SlotRequestListenerVerifier(ApplicationContext context) {
		this.context = context;
	}

	/**
	 * Verify the listeners of this context and its ancestors.
	 * @throws SlotRequestListenerException if one of them cannot decide
	 */
	void verify() {
		for (ApplicationContext context = this.context; context != null; context = context.getParent()) {
			if (context instanceof AbstractApplicationContext abstractContext) {
				verify(abstractContext);
			}
		}
	}

	private static void verify(AbstractApplicationContext context) {
		findListeners(context).forEach((listener, supportsAsync) -> {
			String multicasterName = AbstractApplicationContext.APPLICATION_EVENT_MULTICASTER_BEAN_NAME;
			ApplicationEventMulticaster multicaster = context.getBean(multicasterName,
					ApplicationEventMulticaster.class);
			String problem = new Probe(supportsAsync).run(multicaster);
			if (problem != null) {
				throw new SlotRequestListenerException(
						listener + " decides about slots, but the bean '" + multicasterName + "' ("
								+ multicaster.getClass().getName() + ") " + problem + ".",
						"Remove the task executor and the error handler from the bean '" + multicasterName
								+ "', and use @Async for listeners that run elsewhere.");
			}
		});
	}

	/**
	 * Return the listeners, keyed by their description in messages, and whether they may
	 * be called on another thread.
	 */
	private static Map<String, Boolean> findListeners(AbstractApplicationContext context) {
		Map<String, Boolean> listeners = new LinkedHashMap<>();
		for (String name : context.getBeanNamesForType(ApplicationListener.class, true, false)) {
			Class<?> type = context.getType(name, false);
			if (type != null && isSlotRequestListener(type)) {
				listeners.put("The listener bean '" + name + "'", !context.isSingleton(name)
						|| context.getBean(name, ApplicationListener.class).supportsAsyncExecution());
			}
		}
		for (ApplicationListener<?> listener : context.getApplicationListeners()) {
			if (listener instanceof ApplicationListenerMethodAdapter adapter && adapter.supportsEventType(SLOT_REQUEST)
					&& !adapter.supportsEventType(ANY_EVENT)) {
				Method method = adapter.getTargetMethod();
				String name = describe(method, context);
				verifyNotAsync(name, method, context);
				listeners.put(name, adapter.supportsAsyncExecution());
			}
		}
		return listeners;
	}

	private static boolean isSlotRequestListener(Class<?> type) {
		Class<?> event = ResolvableType.forClass(type).as(ApplicationListener.class).resolveGeneric();
		return event != null && CallosumServerEvent.class.isAssignableFrom(event)
				&& event.isAssignableFrom(SlotRequestEvent.class);
	}

	private static String describe(Method method, AbstractApplicationContext context) {
		String[] names = context.getBeanNamesForType(method.getDeclaringClass(), true, false);
		return "The listener method '" + method.getName() + "' of the bean '"
				+ ((names.length > 0) ? names[0] : method.getDeclaringClass().getName()) + "'";
	}

	private static void verifyNotAsync(String listener, Method method, AbstractApplicationContext context) {
		boolean async = AnnotatedElementUtils.hasAnnotation(method, Async.class)
				|| AnnotatedElementUtils.hasAnnotation(method.getDeclaringClass(), Async.class);
		if (async && context.containsBean(TaskManagementConfigUtils.ASYNC_ANNOTATION_PROCESSOR_BEAN_NAME)) {
			throw new SlotRequestListenerException(
					listener + " decides about slots, but is called too late, on another thread, because of @Async.",
					"Remove @Async. To answer later, pass a Publisher to SlotRequestEvent.assign.");
		}
	}

	/**
	 * Received only by the probe and by listeners of all events.
	 */
	private static final class ProbeEvent extends ApplicationEvent {

		private ProbeEvent(Object source) {
			super(source);
		}

	}

	private static final class Probe implements ApplicationListener<ProbeEvent> {

		private final Thread thread = Thread.currentThread();

		private final boolean supportsAsync;

		private boolean called;

		private Probe(boolean supportsAsync) {
			this.supportsAsync = supportsAsync;
		}

		@Nullable String run(ApplicationEventMulticaster multicaster) {
			multicaster.addApplicationListener(this);
			try {
				multicaster.multicastEvent(new ProbeEvent(this), ANY_EVENT);
				return this.called ? "swallows exceptions thrown by listeners" : "calls listeners on another thread";
			}
			catch (RuntimeException ex) {
				return this.called ? null : "fails: " + ex;
			}
			finally {
				multicaster.removeApplicationListener(this);
			}
		}

		@Override
		public void onApplicationEvent(ProbeEvent event) {
			if (event.getSource() == this && Thread.currentThread() == this.thread) {
				this.called = true;
				throw new IllegalStateException("Thrown to check whether the publisher of an event receives it");
			}
		}

		@Override
		public boolean supportsAsyncExecution() {
			return this.supportsAsync;
		}

	}

}
