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

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.lang.management.BufferPoolMXBean;
import java.lang.management.ManagementFactory;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

import javax.management.JMException;
import javax.management.ObjectName;

import com.sun.management.UnixOperatingSystemMXBean;
import com.sun.net.httpserver.HttpServer;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.Unpooled;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.epoll.EpollChannelOption;
import io.netty.handler.codec.LineBasedFrameDecoder;
import io.netty.util.internal.PlatformDependent;
import org.reactivestreams.Publisher;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnProperty;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.event.EventListener;

import io.callosum.server.CallosumConnection;
import io.callosum.server.CallosumServer;
import io.callosum.server.CallosumTcpServerCustomizer;
import io.callosum.server.ConnectionEvent;
import io.callosum.server.ConnectionHandler;
import io.callosum.server.GarbageCollection;
import io.callosum.server.NoSlotAvailableException;
import io.callosum.server.ServerErrorEvent;
import io.callosum.server.ServerStartedEvent;
import io.callosum.server.SlotFreeEvent;
import io.callosum.server.SlotRequest;
import io.callosum.server.SlotRequestEvent;
import io.callosum.server.TestServer;

/**
 * An application for a process of its own, without a web server unless the test wants
 * one. It treats a connection according to the {@link Behavior} that the client has
 * chosen, prints the events of its server, and closes its context when its standard input
 * ends.
 * <p>
 * Lines of its standard input are commands: {@code state} prints what the process holds
 * after a garbage collection, and lets Netty report buffers that are lost, {@code hog}
 * takes all direct memory, and {@code release} returns it.
 */
@Configuration(proxyBeanMethods = false)
@EnableAutoConfiguration
class StandaloneApplication {

	/**
	 * Each byte is the lowest byte of its position.
	 */
	private static final byte[] BLOCK = new byte[8192];

	static {
		for (int i = 0; i < BLOCK.length; i++) {
			BLOCK[i] = (byte) i;
		}
	}

	private final CountingSlots slots = new CountingSlots();

	private final List<ByteBuf> hogs = new ArrayList<>();

	private boolean handler;

	private Duration slotTimeout;

	private long socketsAtStart;

	public static void main(String[] args) {
		ConfigurableApplicationContext context = SpringApplication.run(StandaloneApplication.class, args);
		Thread thread = new Thread(() -> {
			context.getBean(StandaloneApplication.class).runCommands(context);
			context.close();
		});
		thread.setDaemon(true);
		thread.start();
	}

	@Value("${test.handler:false}")
	void setHandler(boolean handler) {
		this.handler = handler;
	}

	@Value("${callosum.server.slot-timeout:10s}")
	void setSlotTimeout(Duration slotTimeout) {
		this.slotTimeout = slotTimeout;
	}

	@Bean
	CountingSlots slots() {
		return this.slots;
	}

	@Bean
	@ConditionalOnProperty("test.handler")
	ConnectionHandler connectionHandler() {
		return (connection) -> serve(Behavior.of(connection.remoteAddress()), connection);
	}

	/**
	 * Answers each line after the time that a database would take, and prints each line
	 * that it begins to process.
	 */
	@Bean
	@ConditionalOnProperty("test.database")
	ConnectionHandler database(@Value("${test.database}") Duration duration) {
		return (connection) -> connection.outbound()
			.sendString(connection.inbound()
				.withConnection((netty) -> netty.addHandlerLast(new LineBasedFrameDecoder(100)))
				.receive()
				.asString()
				.concatMap((line) -> {
					System.out.println("PROCESSED " + line);
					return Mono.delay(duration).thenReturn(line + "\n");
				}));
	}

	@Bean
	@ConditionalOnProperty("test.tcp-user-timeout")
	CallosumTcpServerCustomizer tcpUserTimeout(@Value("${test.tcp-user-timeout}") int timeout) {
		return (tcpServer) -> tcpServer.childOption(EpollChannelOption.TCP_USER_TIMEOUT, timeout);
	}

	@Bean(destroyMethod = "")
	@ConditionalOnProperty("test.web-server")
	HttpServer webServer() throws IOException {
		HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
		server.createContext("/", (exchange) -> {
			exchange.sendResponseHeaders(204, -1);
			exchange.close();
		});
		server.start();
		System.out.println("WEB " + server.getAddress().getPort());
		return server;
	}

	@EventListener
	void started(ServerStartedEvent event) throws IOException {
		// No connection has been accepted yet
		this.socketsAtStart = sockets();
		System.out.println("PORT " + event.getServer().address().getPort());
	}

	@EventListener
	void slotRequested(SlotRequestEvent event) {
		SlotRequest request = event.getRequest();
		Mono<Integer> slot = Mono.fromCallable(() -> this.slots.assign(request));
		switch (Behavior.of(request.remoteAddress())) {
			case ASSIGN -> event.assign(this.slots.assign(request));
			case ASSIGN_LATE -> event.assign(slot.delaySubscription(Duration.ofMillis(50)));
			case ASSIGN_TOO_LATE -> event.assign(slot.delaySubscription(this.slotTimeout.multipliedBy(3).dividedBy(2)));
			case ASSIGN_TWICE -> event.assign(slot.flatMapMany((value) -> Flux.just(value, value)));
			case ASSIGN_NEGATIVE -> event.assign(Mono.just(-1));
			case ASSIGN_TAKEN -> event.assign(event.getServer().connections().iterator().next().slot());
			case ASSIGN_NOTHING -> event.assign(Mono.empty());
			case ASSIGN_FAILED -> event.assign(Mono.error(new IllegalStateException("Test")));
			case REJECT -> event.reject(new IllegalStateException("Test"));
			case NO_SLOT -> event.reject(new NoSlotAvailableException("Test"));
			case REQUEST_ERROR -> throw new IllegalStateException("Test");
			case REQUEST_ERROR_AFTER_ANSWER -> {
				event.assign(this.slots.assign(request));
				throw new IllegalStateException("Test");
			}
			case REQUEST_STACK_OVERFLOW -> overflow(0);
			default -> {
			}
		}
	}

	@EventListener
	void connected(ConnectionEvent event) {
		System.out.println("CONNECTED " + event.getSlot());
		CallosumConnection connection = event.getConnection();
		this.slots.connected(connection.id());
		Behavior behavior = Behavior.of(connection.remoteAddress());
		switch (behavior) {
			case CLOSE -> connection.close();
			case CONNECTION_ERROR -> throw new IllegalStateException("Test");
			case CONNECTION_STACK_OVERFLOW -> overflow(0);
			case CONNECTION_OUT_OF_MEMORY -> System.out.println(new long[Integer.MAX_VALUE].length);
			case ECHO, LINES, FLOOD, TICK, STALL, COMPLETE, FAIL -> {
				if (!this.handler) {
					Flux.from(serve(behavior, connection))
						.doFinally((signal) -> connection.close())
						.subscribe(null, (error) -> {
						});
				}
			}
			default -> {
			}
		}
	}

	@EventListener
	void slotFree(SlotFreeEvent event) {
		Behavior behavior = Behavior.of(event.getConnection().remoteAddress());
		System.out.println("FREE " + event.getSlot() + " " + event.getReason() + " " + behavior);
		this.slots.free(event.getConnection().id());
		switch (behavior) {
			case FREE_ERROR -> throw new IllegalStateException("Test");
			case FREE_STACK_OVERFLOW -> overflow(0);
			default -> {
			}
		}
	}

	@EventListener
	void error(ServerErrorEvent event) {
		Throwable error = event.getError();
		// Thrown by Reactor Netty to listeners that write on a thread other than the
		// event loop, if the connection ends at that moment
		boolean gone = error instanceof NullPointerException
				&& "reactiveBridge is not installed".equals(error.getMessage());
		System.out.println("ERROR " + (gone ? "ConnectionGone" : error.getClass().getSimpleName()));
	}

	private static Publisher<Void> serve(Behavior behavior, CallosumConnection connection) {
		return switch (behavior) {
			case ECHO -> connection.outbound().send(connection.inbound().receive().retain(), (bytes) -> true).then();
			case LINES -> connection.outbound()
				.sendString(connection.inbound()
					.withConnection((netty) -> netty.addHandlerLast(new LineBasedFrameDecoder(1024)))
					.receive()
					.asString()
					.map((line) -> "echo " + line + "\r\n"));
			case FLOOD -> connection.outbound()
				.send(Flux.generate((sink) -> sink.next(Unpooled.wrappedBuffer(BLOCK))), (bytes) -> true)
				.then();
			case TICK -> Flux.interval(Duration.ofMillis(100))
				.onBackpressureDrop()
				.concatMap((tick) -> send(connection, "x"))
				.then();
			case STALL -> {
				connection.inbound();
				yield Mono.never();
			}
			case COMPLETE -> send(connection, "bye");
			case FAIL -> connection.inbound().receive().then(Mono.error(new IllegalStateException("Test"))).then();
			default -> connection.inbound().receive().then();
		};
	}

	/**
	 * Does not use sendString, whose buffer Reactor Netty leaks on a thread other than
	 * the event loop if the connection ends at that moment.
	 */
	private static Mono<Void> send(CallosumConnection connection, String text) {
		ByteBuf bytes = Unpooled.wrappedBuffer(text.getBytes(StandardCharsets.US_ASCII));
		return connection.outbound().sendObject(bytes).then();
	}

	private static int overflow(int depth) {
		return overflow(depth + 1) + 1;
	}

	private void runCommands(ConfigurableApplicationContext context) {
		try {
			BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
			String command;
			while ((command = commands.readLine()) != null) {
				String result = switch (command) {
					case "state" -> state(context.getBean(CallosumServer.class), context.getBean(MeterRegistry.class));
					case "hog" -> hog();
					case "release" -> release();
					default -> throw new IllegalArgumentException(command);
				};
				System.out.println("DONE " + command + " " + result);
			}
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

	private String state(CallosumServer server, MeterRegistry registry) throws IOException {
		Collection<CallosumConnection> connections = server.connections();
		Map<String, Long> state = new LinkedHashMap<>();
		GarbageCollection.reportLostBuffers();
		String objects = objects();
		state.put("leases", count(objects, Pattern.quote(TestServer.connectionType().getName())));
		state.put("channels", count(objects, ".*\\.(Epoll|Nio)SocketChannel"));
		state.put("sslHandlers", count(objects, ".*\\.SslHandler"));
		state.put("heap", ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed());
		state.put("direct", directMemory());
		state.put("netty", Math.max(0, PlatformDependent.usedDirectMemory()));
		// Without pools, which count what they reserve, not what is in use
		state.put("buffers", UnpooledByteBufAllocator.DEFAULT.metric().usedDirectMemory());
		state.put("threads", (long) ManagementFactory.getThreadMXBean().getThreadCount());
		state.put("meters", (long) registry.getMeters().size());
		state.put("descriptors", ((UnixOperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
			.getOpenFileDescriptorCount());
		state.put("sockets", sockets() - this.socketsAtStart);
		state.put("connections", (long) connections.size());
		state.put("slots", (long) this.slots.inUse());
		state.put("open", (long) this.slots.open());
		state.put("unfreed", (long) this.slots.unfreed());
		state.put("errors", (long) this.slots.errors());
		putCounts(state, registry);
		state.put("clock", System.currentTimeMillis());
		state.put("connectedAt",
				connections.stream()
					.mapToLong((connection) -> connection.connectedAt().toEpochMilli())
					.max()
					.orElse(0));
		return state.entrySet()
			.stream()
			.map((entry) -> entry.getKey() + "=" + entry.getValue())
			.collect(Collectors.joining(" "));
	}

	/**
	 * Connections that were accepted, but neither refused nor freed yet, are unaccounted
	 * for.
	 */
	private static void putCounts(Map<String, Long> state, MeterRegistry registry) {
		long accepted = (long) registry.get("callosum.server.connections.accepted").counter().count();
		long refused = (long) registry.get("callosum.server.connections.refused")
			.counters()
			.stream()
			.mapToDouble(Counter::count)
			.sum();
		long freed = registry.get("callosum.server.connection.duration")
			.timers()
			.stream()
			.mapToLong(Timer::count)
			.sum();
		long active = (long) registry.get("callosum.server.connections.active").gauge().value();
		state.put("accepted", accepted);
		state.put("refused", refused);
		state.put("assigned", freed + active);
		state.put("active", active);
		state.put("unaccounted", accepted - refused - freed);
	}

	/**
	 * Return how many objects of each class are in use.
	 */
	private static String objects() {
		try {
			return (String) ManagementFactory.getPlatformMBeanServer()
				.invoke(new ObjectName("com.sun.management:type=DiagnosticCommand"), "gcClassHistogram",
						new Object[] { new String[0] }, new String[] { String[].class.getName() });
		}
		catch (JMException ex) {
			throw new IllegalStateException(ex);
		}
	}

	private static long count(String objects, String className) {
		Matcher matcher = Pattern
			.compile("^ *[0-9]+: +([0-9]+) +[0-9]+ +" + className + "( \\(.*\\))?$", Pattern.MULTILINE)
			.matcher(objects);
		return matcher.find() ? Long.parseLong(matcher.group(1)) : 0;
	}

	/**
	 * Return how much direct memory the JVM knows about. Includes what Netty allocates,
	 * except on JDK 25 and later.
	 */
	private static long directMemory() {
		return ManagementFactory.getPlatformMXBeans(BufferPoolMXBean.class)
			.stream()
			.mapToLong(BufferPoolMXBean::getMemoryUsed)
			.sum();
	}

	private static long sockets() throws IOException {
		try (Stream<Path> descriptors = Files.list(Path.of("/proc/self/fd"))) {
			return descriptors.filter((descriptor) -> {
				try {
					return Files.readSymbolicLink(descriptor).toString().startsWith("socket:");
				}
				catch (IOException ex) {
					// Closed meanwhile
					return false;
				}
			}).count();
		}
	}

	private String hog() {
		hog(UnpooledByteBufAllocator.DEFAULT);
		// From JDK 25 on, the memory of a pool does not count towards the limit of the
		// JVM
		hog(ByteBufAllocator.DEFAULT);
		return "";
	}

	private void hog(ByteBufAllocator allocator) {
		for (int size = 1 << 20; size > 0; size >>= 4) {
			try {
				while (true) {
					this.hogs.add(allocator.directBuffer(size, size));
				}
			}
			catch (OutOfMemoryError ex) {
				// As intended
			}
		}
	}

	private String release() {
		this.hogs.forEach(ByteBuf::release);
		this.hogs.clear();
		return "";
	}

}
