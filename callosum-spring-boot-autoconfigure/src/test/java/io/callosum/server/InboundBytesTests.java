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

package io.callosum.server;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.DefaultByteBufHolder;
import io.netty.buffer.Unpooled;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOption;
import io.netty.channel.ChannelOutboundHandlerAdapter;
import io.netty.channel.ChannelPromise;
import io.netty.channel.FixedRecvByteBufAllocator;
import io.netty.handler.codec.LineBasedFrameDecoder;
import io.netty.handler.codec.MessageToMessageDecoder;
import io.netty.util.ReferenceCountUtil;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.reactivestreams.Publisher;
import org.reactivestreams.Subscription;
import reactor.core.publisher.BaseSubscriber;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;
import reactor.netty.Connection;
import reactor.netty.NettyInbound;
import reactor.netty.tcp.TcpServer;

import org.springframework.util.unit.DataSize;

import io.callosum.transport.SocketErrors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

/**
 * Tests for who reads what a peer sends, and that none of it is lost.
 */
@ParameterizedClass
@EnumSource
class InboundBytesTests {

	/**
	 * How much the server may hold for a connection whose owner requests nothing: its
	 * limit, and one more buffer.
	 */
	private static final int HELD_AT_MOST = 32 * 1024;

	/**
	 * What TLS needs in addition: the handshake, and one incomplete record.
	 */
	private static final int TLS_AT_MOST = 32 * 1024;

	private static final int FOUR_MEGABYTES = 4_000_000;

	@AutoClose("shutdownNow")
	private final ExecutorService executor = Executors.newCachedThreadPool();

	private final WireTap tap = new WireTap();

	/**
	 * Unpooled, so that released memory is no longer counted.
	 */
	private final UnpooledByteBufAllocator allocator = new UnpooledByteBufAllocator(true);

	@Parameter
	Transport transport;

	@Test
	void tenMebibytesSentBeforeTheSlotIsReadAreEchoedByteForByte() {
		try (TestServer server = create(
				(connection) -> connection.outbound().send(connection.inbound().receive().retain()).then())
			.start()) {
			byte[] bytes = Payload.of(10 * 1024 * 1024);
			TestClient client = server.connect();
			CompletableFuture<?> sent = sendLater(client, bytes);
			// Until everything is sent, or the buffers in between are full
			this.tap.awaitStall();
			assertThat(client.readSlot()).isZero();
			Payload.verify(client.read(bytes.length), bytes);
			sent.join();
		}
	}

	@Test
	void whatIsReadAheadIsReadIntoSmallBuffersAndWhatIsAskedForIsNot() {
		CompletableFuture<Void> asking = new CompletableFuture<>();
		try (TestServer server = create((connection) -> connection.outbound()
			.send(connection.inbound().receive().retain().delaySubscription(Mono.fromFuture(asking)))
			.then()).start()) {
			byte[] bytes = Payload.of(4 * 1024 * 1024);
			TestClient client = server.connect();
			assertThat(client.readSlot()).isZero();
			CompletableFuture<?> sent = sendLater(client, bytes);
			this.tap.awaitBytesRead(4096);
			this.tap.awaitStall();
			assertThat(this.tap.largestRead()).isLessThanOrEqualTo(4096);
			asking.complete(null);
			Payload.verify(client.read(bytes.length), bytes);
			sent.join();
			assertThat(this.tap.largestRead()).isEqualTo(64 * 1024);
		}
	}

	@Test
	void whatIsDecodedIsReadInPiecesOfAKilobyte() {
		AtomicReference<Connection> netty = new AtomicReference<>();
		try (TestServer server = create(
				(connection) -> connection.inbound().withConnection(netty::set).receive().then())
			.start()) {
			TestClient client = server.connect();
			assertThat(client.readSlot()).isZero();
			client.send(new byte[4 * 1024 * 1024]);
			this.tap.awaitBytesRead(4 * 1024 * 1024);
			int messages = this.tap.messagesRead();
			netty.get()
				.channel()
				.eventLoop()
				.submit(() -> netty.get().addHandlerLast(new LineBasedFrameDecoder(10)))
				.syncUninterruptibly();
			byte[] lines = new byte[128 * 1024];
			Arrays.fill(lines, (byte) '\n');
			client.send(lines);
			this.tap.awaitBytesRead(4 * 1024 * 1024 + lines.length);
			// Except for the first ones, which were read before the codec was noticed
			assertThat(this.tap.messagesRead() - messages).isGreaterThan((lines.length - 64 * 1024) / 1024);
		}
	}

	@Test
	void aCustomizerMayChooseOtherBuffers() {
		try (TestServer server = create(
				(connection) -> connection.outbound().send(connection.inbound().receive().retain()).then(),
				(builder) -> builder.customizer((tcpServer) -> tcpServer.childOption(ChannelOption.RECVBUF_ALLOCATOR,
						new FixedRecvByteBufAllocator(10_000))))
			.start()) {
			byte[] bytes = Payload.of(1024 * 1024);
			TestClient client = server.connect();
			assertThat(client.readSlot()).isZero();
			CompletableFuture<?> sent = sendLater(client, bytes);
			Payload.verify(client.read(bytes.length), bytes);
			sent.join();
			assertThat(this.tap.largestRead()).isEqualTo(10_000);
		}
	}

	@Test
	void overTheBudgetOnlyWhatIsAskedForIsReadAndTheRestWhenThereIsRoomAgain() {
		int peers = 20;
		try (TestServer server = create((connection) -> {
			if (connection.slot() < peers) {
				connection.inbound();
				return Mono.never();
			}
			return connection.outbound().send(connection.inbound().receive().retain()).then();
		}, (builder) -> builder.workerThreads(4).readAheadBudget(DataSize.ofKilobytes(64)))) {
			server.start();
			List<TestClient> greedy = new ArrayList<>();
			for (int i = 0; i < peers; i++) {
				TestClient client = server.connect();
				client.readSlot();
				greedy.add(client);
			}
			greedy.forEach((client) -> client.send(new byte[8 * 1024]));
			this.tap.awaitBytesRead(32 * 1024);
			this.tap.awaitStall();
			// The budget, the last read of each event loop, and one small pending read of
			// each peer
			assertThat(this.tap.bytesRead()).isLessThan(64 * 1024 + 4 * 4096 + peers * 256);
			TestClient honest = server.connect();
			assertThat(honest.readSlot()).isEqualTo(peers);
			assertThat(honest.send("hello\n").readLine()).isEqualTo("hello\n");
			TestClient last = greedy.remove(peers - 1);
			server.server().connections().stream().limit(peers - 1).forEach(CallosumConnection::close);
			// Now the end of the remaining one is noticed
			last.close();
			server.awaitConnections(1);
		}
	}

	@Test
	void whatAHandlerHasNotTakenFromAPeerThatHasLeftCountsForTheBudget() {
		CompletableFuture<Void> end = new CompletableFuture<>();
		try (TestServer server = create((connection) -> {
			connection.inbound();
			return Mono.fromFuture(end);
		}, (builder) -> builder.completionTimeout(Duration.ofHours(1)))) {
			server.start();
			TestClient client = server.connect();
			client.readSlot();
			client.send(new byte[8 * 1024]);
			this.tap.awaitBytesRead(8 * 1024);
			client.close();
			TestServer.await("the end", () -> assertThat(server.events().of(SlotFreeEvent.class)).hasSize(1));
			assertThat(Invariants.readAheadHeld(server.server())).isBetween(8 * 1024L, 16 * 1024L);
			end.complete(null);
			TestServer.await("the budget", () -> assertThat(Invariants.readAheadHeld(server.server())).isZero());
		}
	}

	@Test
	void whatIsHeldWhenAWriteOfItsListenerFailsIsDelivered() {
		CompletableFuture<?> begin = new CompletableFuture<>();
		Payload.Sink sink = new Payload.Sink();
		try (TestServer server = TestServer.create(this.transport,
				(builder) -> builder.customizer(this.tap).customizer(InboundBytesTests::failWrites))) {
			server.events().on(ConnectionEvent.class, (event) -> {
				AtomicReference<Channel> channel = new AtomicReference<>();
				Flux<byte[]> bytes = event.getConnection()
					.inbound()
					.withConnection((netty) -> channel.set(netty.channel()))
					.receive()
					.asByteArray();
				begin.thenRunAsync(() -> bytes
					.doOnNext((received) -> channel.get().writeAndFlush(Unpooled.wrappedBuffer(new byte[1])))
					.subscribe(sink), channel.get().eventLoop());
			});
			server.start();
			byte[] bytes = Payload.of(12 * 1024);
			TestClient client = server.connect();
			client.readSlot();
			client.send(bytes);
			this.tap.awaitBytesRead(bytes.length);
			begin.complete(null);
			assertThat(sink.end()).succeedsWithin(Duration.ofSeconds(30));
			Payload.verify(sink.received(), bytes);
		}
	}

	@Test
	void aPeerThatClosesCannotFillTheMemoryWithWhatItHasSent() {
		try (TestServer server = create((connection) -> {
			connection.inbound();
			return Mono.never();
		}, (builder) -> builder.readAheadBudget(DataSize.ofKilobytes(32)).completionTimeout(Duration.ofHours(1)))) {
			server.start();
			TestClient client = server.connect();
			client.readSlot();
			client.send(new byte[60_000]);
			this.tap.awaitBytesRead(16 * 1024);
			this.tap.awaitStall();
			client.close();
			if (this.transport.isNative()) {
				TestServer.await("the end",
						() -> assertThat(server.events().of(SlotFreeEvent.class)).singleElement()
							.extracting(SlotFreeEvent::getReason)
							.isEqualTo(EndReason.OUT_OF_MEMORY));
				assertThat(this.tap.bytesRead()).isLessThan(50_000);
			}
			else {
				server.server().connections().forEach(CallosumConnection::close);
			}
		}
	}

	private static TcpServer failWrites(TcpServer tcpServer) {
		return tcpServer.doOnChannelInit(
				(observer, channel, address) -> channel.pipeline().addFirst(new ChannelOutboundHandlerAdapter() {

					@Override
					public void write(ChannelHandlerContext ctx, Object message, ChannelPromise promise) {
						if (message instanceof ByteBuf buffer && buffer.readableBytes() == 1) {
							buffer.release();
							promise.tryFailure(SocketErrors.reset());
							channel.unsafe().close(channel.unsafe().voidPromise());
						}
						else {
							ctx.write(message, promise);
						}
					}

				}));
	}

	@Test
	void aDecodedMessageKeepsItsTypeWhenThePeerHasLeft() {
		CompletableFuture<Void> end = new CompletableFuture<>();
		List<Object> received = new CopyOnWriteArrayList<>();
		try (TestServer server = create((connection) -> {
			NettyInbound inbound = connection.inbound()
				.withConnection((netty) -> netty.addHandlerLast(new TypedFrameDecoder()));
			return Mono.fromFuture(end).thenMany(Flux.defer(inbound::receiveObject)).doOnNext((message) -> {
				received.add(message.getClass());
				ReferenceCountUtil.release(message);
			}).then();
		})) {
			server.start();
			TestClient client = server.connect();
			client.readSlot();
			client.send("frame");
			this.tap.awaitBytesRead(5);
			client.close();
			TestServer.await("the end", () -> assertThat(server.events().of(SlotFreeEvent.class)).hasSize(1));
			end.complete(null);
			TestServer.await("the frame", () -> assertThat(received).containsExactly(TypedFrame.class));
		}
	}

	@Test
	void aDecodedMessageThatNobodyTakesIsHeldOnTheHeap() {
		CompletableFuture<Void> end = new CompletableFuture<>();
		try (TestServer server = create((connection) -> {
			connection.inbound().withConnection((netty) -> netty.addHandlerLast(new FrameDecoder()));
			return Mono.fromFuture(end);
		}, (builder) -> builder.completionTimeout(Duration.ofHours(1))
			.customizer((tcpServer) -> tcpServer.childOption(ChannelOption.ALLOCATOR, this.allocator)))) {
			server.start();
			TestClient client = server.connect();
			client.readSlot();
			client.send(new byte[8 * 1024]);
			this.tap.awaitBytesRead(8 * 1024);
			client.close();
			TestServer.await("the end", () -> assertThat(server.events().of(SlotFreeEvent.class)).hasSize(1));
			TestServer.await("the memory", () -> assertThat(this.allocator.metric().usedDirectMemory()).isZero());
			assertThat(Invariants.readAheadHeld(server.server())).isGreaterThan(8 * 1024);
			end.complete(null);
		}
	}

	@ParameterizedTest
	@EnumSource
	void anOwnerThatDoesNotAskHoldsAPeerUpAndNotTheMemory(IdleOwner owner) {
		verifyPeerIsHeldUp(owner, false);
	}

	@ParameterizedTest
	@EnumSource
	void anOwnerThatDoesNotAskHoldsAPeerUpAndNotTheMemoryWithTls(IdleOwner owner) {
		verifyPeerIsHeldUp(owner, true);
	}

	private void verifyPeerIsHeldUp(IdleOwner owner, boolean secure) {
		TestServer server = owner.create(this, secure);
		try (server) {
			server.start();
			TestClient client = server.connect();
			CompletableFuture<?> sent = sendLater(client, new byte[64 * 1024 * 1024]);
			try {
				this.tap.awaitBytesRead(8 * 1024);
				this.tap.awaitStall();
				int heldAtMost = secure ? HELD_AT_MOST + TLS_AT_MOST : HELD_AT_MOST;
				assertThat(this.tap.bytesRead()).isLessThanOrEqualTo(heldAtMost);
				assertThat(sent).isNotDone();
			}
			finally {
				// A TLS socket cannot be closed gracefully while it is being written to
				client.reset();
			}
			assertThat(sent).failsWithin(Duration.ofSeconds(30));
			// Nothing is read beyond the limit, so with NIO nobody notices that the peer
			// has left
			server.server().connections().forEach(CallosumConnection::close);
			owner.answer.completeExceptionally(new NoSlotAvailableException("over"));
		}
	}

	@ParameterizedTest
	@EnumSource
	void aPeerThatSendsByteByByteCannotFillTheMemory(IdleOwner owner) {
		TestServer server = owner.create(this, false);
		try (server) {
			server.start();
			TestClient client = server.connect();
			int sent = 0;
			while (sent < 2000 && isRead(sent, Duration.ofSeconds(30))) {
				client.send(new byte[1]);
				sent++;
			}
			// Held in a few buffers
			assertThat(this.allocator.metric().usedDirectMemory() + this.allocator.metric().usedHeapMemory())
				.isLessThan(16 * 1024);
			server.server().connections().forEach(CallosumConnection::close);
			owner.answer.completeExceptionally(new NoSlotAvailableException("over"));
		}
	}

	@Test
	void anOwnerThatSubscribesLateGetsEveryByte() {
		receiveAll(
				(connection) -> connection.inbound().receive().asByteArray().delaySubscription(Duration.ofMillis(400)));
	}

	@Test
	void anOwnerThatTakesABufferAMillisecondGetsEveryByte() {
		receiveAll((connection) -> connection.inbound()
			.receive()
			.asByteArray()
			.concatMap((bytes) -> Mono.delay(Duration.ofMillis(1)).thenReturn(bytes), 1));
	}

	@Test
	void anOwnerThatAsksForOneBufferAtATimeOnAnotherThreadGetsEveryByte() {
		receiveAll((connection) -> Flux.from(connection.inbound().receive().asByteArray())
			.publishOn(Schedulers.boundedElastic(), 1));
	}

	@Test
	void anOwnerThatAsksForOneBufferAtATimeInTheMiddleOfTheLastGetsEveryByte() {
		Payload.Sink sink = new Payload.Sink();
		try (TestServer server = create((connection) -> {
			connection.inbound().receive().asByteArray().subscribe(new BaseSubscriber<byte[]>() {

				@Override
				protected void hookOnSubscribe(Subscription subscription) {
					subscription.request(1);
				}

				@Override
				protected void hookOnNext(byte[] bytes) {
					sink.onNext(bytes);
					request(1);
				}

			});
			return Mono.never();
		}).start()) {
			byte[] bytes = Payload.of(FOUR_MEGABYTES);
			server.connect().send(bytes);
			sink.awaitAll(bytes);
		}
	}

	@ParameterizedTest
	@EnumSource
	void aListenerThatClaimsAndSubscribesLaterOnAnotherThreadGetsEveryByte(Leave leave) {
		Payload.Sink sink = new Payload.Sink();
		try (TestServer server = create(null)) {
			server.events().on(ConnectionEvent.class, (event) -> {
				NettyInbound inbound = event.getConnection().inbound();
				Mono.delay(Duration.ofMillis(300)).subscribe((tick) -> inbound.receive().asByteArray().subscribe(sink));
			});
			server.start();
			byte[] bytes = Payload.of(10_000);
			TestClient client = server.connect().send(bytes);
			client.readSlot();
			this.tap.awaitBytesRead(bytes.length);
			leave.accept(client);
			sink.awaitAll(bytes);
			if (leave == Leave.FIN) {
				assertThat(sink.end()).succeedsWithin(Duration.ofSeconds(30)).isNull();
			}
			else if (leave == Leave.RST) {
				assertThat(sink.end()).succeedsWithin(Duration.ofSeconds(30)).isInstanceOf(Exception.class);
			}
		}
	}

	@Test
	void aMegabyteOfAPeerThatHasLeftIsThereForALateSubscriber() {
		Payload.Sink sink = new Payload.Sink();
		AtomicReference<NettyInbound> inbound = new AtomicReference<>();
		try (TestServer server = create(null)) {
			server.events().on(ConnectionEvent.class, (event) -> inbound.set(event.getConnection().inbound()));
			server.start();
			byte[] bytes = Payload.of(1_000_000);
			TestClient client = server.connect();
			client.readSlot();
			client.send(bytes).close();
			this.tap.awaitBytesRead(1);
			this.tap.awaitStall();
			inbound.get().receive().asByteArray().subscribe(sink);
			sink.awaitAll(bytes);
			assertThat(sink.end()).succeedsWithin(Duration.ofSeconds(30)).isNull();
		}
	}

	@ParameterizedTest
	@EnumSource(names = { "FIN", "RST" })
	void aClaimThatComesWhenThePeerHasLeftGetsEveryByteAndTheRightEnd(Leave leave) {
		Payload.Sink sink = new Payload.Sink();
		try (TestServer server = create(null, (builder) -> builder.listenerExecutor(this.executor))) {
			AtomicReference<TestClient> client = new AtomicReference<>();
			CompletableFuture<?> ready = new CompletableFuture<>();
			server.events().on(ConnectionEvent.class, (event) -> {
				ready.join();
				this.tap.awaitBytesRead(10_000);
				leave.accept(client.get());
				TestServer.await("the end", () -> assertThat(this.tap.openChannels()).isEmpty());
				event.getConnection().inbound().receive().asByteArray().subscribe(sink);
			});
			server.start();
			byte[] bytes = Payload.of(10_000);
			client.set(server.connect().send(bytes));
			client.get().readSlot();
			ready.complete(null);
			sink.awaitAll(bytes);
			Throwable end = sink.end().join();
			if (leave == Leave.FIN) {
				assertThat(end).isNull();
			}
			else {
				assertThat(end).isInstanceOf(Exception.class);
			}
		}
	}

	@Test
	void aSecondClaimThrowsThereAndThenWithTheRemedy() {
		List<Throwable> errors = new CopyOnWriteArrayList<>();
		try (TestServer server = create(null)) {
			server.events().on(ConnectionEvent.class, (event) -> {
				event.getConnection().inbound();
				errors.add(claim(event.getConnection()));
			});
			server.start();
			server.connect().readSlot();
			TestServer.await("the claim", () -> assertThat(errors).hasSize(1));
			assertThat(errors.get(0)).isInstanceOf(IllegalStateException.class)
				.hasMessageContaining("already claimed")
				.hasMessageContaining("share");
		}
	}

	@Test
	void aSecondClaimOfTheHandlerThrows() {
		try (TestServer server = create((connection) -> {
			connection.inbound();
			return Mono.error(claim(connection));
		}).start()) {
			assertThat(server.connect().readAll()).asString().isEqualTo("0\r\n");
			TestServer.await("the error", () -> assertThat(server.events().of(ServerErrorEvent.class)).hasSize(1));
			assertThat(server.events().of(ServerErrorEvent.class).get(0).getError())
				.isInstanceOf(IllegalStateException.class)
				.hasMessageContaining("already claimed");
		}
	}

	@Test
	void aListenerCannotClaimWhatBelongsToTheHandler() {
		List<Throwable> errors = new CopyOnWriteArrayList<>();
		try (TestServer server = create(
				(connection) -> connection.outbound().send(connection.inbound().receive().retain()).then())) {
			server.events().on(ConnectionEvent.class, (event) -> errors.add(claim(event.getConnection())));
			server.start();
			TestClient client = server.connect();
			client.readSlot();
			// The failed claim has not affected that of the handler
			assertThat(client.send("abc").read(3)).asString().isEqualTo("abc");
			assertThat(errors).singleElement()
				.isInstanceOf(IllegalStateException.class)
				.extracting(Throwable::getMessage)
				.asString()
				.contains("ConnectionHandler");
		}
	}

	@Test
	void aClaimAfterThePublicationThrowsWithTheRemedy() {
		try (TestServer server = create(null).start()) {
			TestClient client = server.connect();
			client.readSlot();
			client.send(new byte[1]);
			this.tap.awaitBytesRead(1);
			TestServer.await("ConnectionEvent", () -> assertThat(server.events().of(ConnectionEvent.class)).hasSize(1));
			CallosumConnection connection = server.events().of(ConnectionEvent.class).get(0).getConnection();
			TestServer.await("the end of the publication",
					() -> assertThatIllegalStateException().isThrownBy(connection::inbound)
						.withMessageContaining("discarded")
						.withMessageContaining("listener"));
		}
	}

	@Test
	void unclaimedBytesAreDiscarded() {
		try (TestServer server = create(null).start()) {
			TestClient client = server.connect();
			byte[] megabyte = new byte[1_000_000];
			for (int i = 0; i < 100; i++) {
				client.send(megabyte);
			}
			this.tap.awaitBytesRead(100_000_000);
			assertThat(client.readSlot()).isZero();
			assertThat(server.server().connections()).hasSize(1);
		}
	}

	@ParameterizedTest
	@ValueSource(booleans = { false, true })
	void aCodecOfTheOwnerGetsEveryByteAlsoOfLongBefore(boolean leaves) {
		List<String> lines = new CopyOnWriteArrayList<>();
		CompletableFuture<Integer> slot = new CompletableFuture<>();
		try (TestServer server = create((connection) -> lines(connection, lines),
				(builder) -> builder.readAhead(DataSize.ofKilobytes(64)))) {
			server.events().on(SlotRequestEvent.class, (event) -> event.assign(Mono.fromFuture(slot)));
			server.start();
			TestClient client = server.connect();
			List<String> sent = IntStream.range(0, 3000).mapToObj((i) -> "line " + i).toList();
			byte[] bytes = (String.join("\n", sent) + "\n").getBytes(StandardCharsets.US_ASCII);
			for (int i = 0; i < bytes.length; i += 5000) {
				client.send(Arrays.copyOfRange(bytes, i, Math.min(i + 5000, bytes.length)));
				this.tap.awaitBytesRead(Math.min(i + 5000, bytes.length));
			}
			slot.complete(5);
			assertThat(client.readSlot()).isEqualTo(5);
			if (leaves) {
				client.close();
			}
			TestServer.await("all lines", () -> assertThat(lines).hasSize(sent.size()));
			assertThat(lines).isEqualTo(sent);
		}
	}

	@Test
	void aCodecThatTheOwnerAddsFirstGetsEveryByteThatWasReadBefore() {
		try (TestServer server = create((connection) -> Mono.fromRunnable(() -> this.tap.awaitBytesRead(8))
			.subscribeOn(Schedulers.boundedElastic())
			.thenMany(Flux.defer(() -> connection.outbound()
				.sendString(connection.inbound()
					.withConnection((netty) -> netty.addHandlerFirst(new LineBasedFrameDecoder(100)))
					.receive()
					.asString()
					.take(2)
					.map((line) -> "[" + line + "]"))))
			.then()).start()) {
			TestClient client = server.connect().send("one\ntwo\n");
			assertThat(client.readSlot()).isZero();
			assertThat(client.readAll()).asString(StandardCharsets.US_ASCII).isEqualTo("[one][two]");
		}
	}

	@Test
	void aPeerWhoseBytesCannotBeDecodedDoesNotChooseTheRateOfTheLog() {
		List<Throwable> errors = new CopyOnWriteArrayList<>();
		try (TestServer server = TestServer.create(this.transport, (builder) -> builder.customizer(this.tap))) {
			server.events()
				.on(ConnectionEvent.class,
						(event) -> event.getConnection()
							.inbound()
							.withConnection((netty) -> netty.addHandlerLast(new LineBasedFrameDecoder(10)))
							.receive()
							.subscribe(null, errors::add));
			server.start();
			TestClient client = server.connect();
			assertThat(client.readSlot()).isZero();
			byte[] lines = "much longer than ten\n".repeat(10_000).getBytes(StandardCharsets.US_ASCII);
			client.send(lines);
			this.tap.awaitBytesRead(lines.length);
			client.reset();
			TestServer.await("slot", () -> assertThat(server.slotsInUse()).isZero());
			assertThat(errors).hasSize(1);
			assertThat(server.warnings()).isEmpty();
		}
	}

	@Test
	void aSecondSubscriptionFails() {
		CompletableFuture<Throwable> second = new CompletableFuture<>();
		List<String> first = new CopyOnWriteArrayList<>();
		try (TestServer server = create((connection) -> {
			NettyInbound inbound = connection.inbound();
			inbound.receive().asString().subscribe(first::add);
			inbound.receive().asString().subscribe((text) -> {
			}, second::complete);
			return Mono.never();
		}).start()) {
			TestClient client = server.connect().send("abc");
			assertThat(second).succeedsWithin(Duration.ofSeconds(30))
				.isInstanceOf(IllegalStateException.class)
				.extracting(Throwable::getMessage)
				.asString()
				.contains("once");
			TestServer.await("the first", () -> assertThat(String.join("", first)).isEqualTo("abc"));
			assertThat(client.readSlot()).isZero();
		}
	}

	@Test
	void whatFollowsACancelledSubscriptionIsDiscarded() {
		try (TestServer server = create((connection) -> connection.inbound()
			.receive()
			.take(1)
			.then(connection.outbound().sendString(Mono.just("enough")).then())
			.then(Mono.never())).start()) {
			TestClient client = server.connect();
			client.readSlot();
			client.send("a");
			assertThat(client.read(6)).asString().isEqualTo("enough");
			client.send(Payload.of(20_000_000));
			this.tap.awaitBytesRead(20_000_001);
			client.close();
			server.verifyNothingLeft();
			assertThat(server.events().of(SlotFreeEvent.class)).singleElement()
				.extracting(SlotFreeEvent::getReason)
				.isEqualTo(EndReason.PEER_CLOSED);
		}
	}

	@Test
	void bytesSentBeforeALateAnswerStayInOrder() {
		CompletableFuture<Integer> slot = new CompletableFuture<>();
		Payload.Sink sink = new Payload.Sink();
		try (TestServer server = create((connection) -> {
			connection.inbound().receive().asByteArray().subscribe(sink);
			return Mono.never();
		})) {
			server.events().on(SlotRequestEvent.class, (event) -> event.assign(Mono.fromFuture(slot)));
			server.start();
			byte[] bytes = Payload.of(FOUR_MEGABYTES);
			TestClient client = server.connect();
			CompletableFuture<?> sent = sendLater(client, bytes);
			this.tap.awaitStall();
			slot.complete(3);
			assertThat(client.readSlot()).isEqualTo(3);
			sent.join();
			sink.awaitAll(bytes);
		}
	}

	@Test
	void theSlotLineIsWrittenAndFlushedAlone() {
		this.tap.recordOutbound();
		try (TestServer server = create((connection) -> connection.outbound().sendString(Mono.just("hello")).then())
			.start()) {
			assertThat(server.connect().readAll()).asString().isEqualTo("0\r\nhello");
			assertThat(this.tap.outbound()).startsWith("0\r\n", "flush", "hello", "flush");
		}
	}

	@ParameterizedTest
	@ValueSource(booleans = { false, true })
	void noByteOfTheApplicationOvertakesTheSlotLine(boolean onExecutor) {
		Set<String> written = ConcurrentHashMap.newKeySet();
		AtomicBoolean over = new AtomicBoolean();
		AtomicReference<TestServer> current = new AtomicReference<>();
		// Writes to every connection, on the event loop of a new channel and on a
		// separate thread, as soon as outbound() permits it
		Runnable intruder = () -> {
			for (CallosumConnection connection : current.get().server().connections()) {
				try {
					if (!written.contains(connection.id())) {
						// Not a pooled buffer, because Reactor Netty does not release it
						// if the connection closes at this very moment
						connection.outbound()
							.sendObject(Unpooled.wrappedBuffer(new byte[] { 'X' }))
							.then()
							.subscribe(null, (ex) -> {
							});
						written.add(connection.id());
					}
				}
				catch (IllegalStateException ex) {
					assertThat(ex).hasMessageContaining("slot line");
				}
			}
		};
		CallosumTcpServerCustomizer customizer = (tcpServer) -> tcpServer
			.doOnChannelInit((observer, channel, address) -> repeat(channel, intruder));
		try (TestServer server = create(null,
				(builder) -> builder.customizer(customizer).listenerExecutor(onExecutor ? this.executor : null))) {
			current.set(server);
			server.start();
			CompletableFuture<?> thread = CompletableFuture.runAsync(() -> {
				while (!over.get()) {
					intruder.run();
				}
			}, this.executor);
			List<TestClient> clients = new ArrayList<>();
			for (int i = 0; i < 150; i++) {
				TestClient client = server.connect();
				clients.add(client);
				if (i % 10 == 0) {
					clients.forEach(TestClient::readSlot);
					clients.forEach((each) -> assertThat((char) each.read()).isEqualTo('X'));
					clients.forEach(TestClient::close);
					clients.clear();
				}
			}
			clients.forEach(TestClient::readSlot);
			over.set(true);
			thread.join();
			clients.forEach(TestClient::close);
		}
	}

	@Test
	void aPeerThatSendsAndLeavesAtOnceLosesNothingOfWhatItSent() {
		ConcurrentHashMap<String, Payload.Sink> sinks = new ConcurrentHashMap<>();
		try (TestServer server = create((connection) -> {
			Payload.Sink sink = new Payload.Sink();
			sinks.put(connection.id(), sink);
			connection.inbound().receive().asByteArray().subscribe(sink);
			return Mono.never();
		}).start()) {
			byte[] bytes = Payload.of(20_000);
			for (int i = 0; i < 300; i++) {
				TestClient client = server.connect();
				client.readSlot();
				client.send(bytes).close();
			}
			TestServer.await("all clients", () -> assertThat(sinks).hasSize(300));
			sinks.values().forEach((sink) -> {
				assertThat(sink.end()).succeedsWithin(Duration.ofSeconds(30)).isNull();
				Payload.verify(sink.received(), bytes);
			});
			assertThat(server.warnings()).isEmpty();
		}
	}

	private void receiveAll(Function<CallosumConnection, Flux<byte[]>> owner) {
		Payload.Sink sink = new Payload.Sink();
		try (TestServer server = create((connection) -> {
			owner.apply(connection).subscribe(sink);
			return Mono.never();
		}).start()) {
			byte[] bytes = Payload.of(FOUR_MEGABYTES);
			TestClient client = server.connect().send(bytes);
			client.readSlot();
			client.close();
			sink.awaitAll(bytes);
			assertThat(sink.end()).succeedsWithin(Duration.ofSeconds(30)).isNull();
			assertThat(server.warnings()).isEmpty();
		}
	}

	private static Publisher<Void> lines(CallosumConnection connection, List<String> lines) {
		connection.inbound()
			.withConnection((netty) -> netty.addHandlerLast(new LineBasedFrameDecoder(1024)))
			.receive()
			.asString()
			.subscribe(lines::add);
		return Mono.never();
	}

	private boolean isRead(int bytes, Duration timeout) {
		long deadline = System.nanoTime() + timeout.toNanos();
		while (this.tap.bytesRead() < bytes) {
			if (System.nanoTime() - deadline > 0) {
				return false;
			}
			Thread.onSpinWait();
		}
		return true;
	}

	private static void repeat(Channel channel, Runnable task) {
		if (channel.isOpen()) {
			task.run();
			channel.eventLoop().execute(() -> repeat(channel, task));
		}
	}

	private CompletableFuture<?> sendLater(TestClient client, byte[] bytes) {
		return CompletableFuture.runAsync(() -> client.send(bytes), this.executor);
	}

	private static Throwable claim(CallosumConnection connection) {
		try {
			connection.inbound();
			return new AssertionError("Could claim");
		}
		catch (IllegalStateException ex) {
			return ex;
		}
	}

	private TestServer create(ConnectionHandler handler) {
		return create(handler, UnaryOperator.identity());
	}

	private TestServer create(ConnectionHandler handler, UnaryOperator<CallosumServer.Builder> customizer) {
		return create(Link.plain(this.transport), handler, customizer);
	}

	private TestServer create(Link link, ConnectionHandler handler, UnaryOperator<CallosumServer.Builder> customizer) {
		return TestServer.create(link,
				(builder) -> customizer.apply(builder.customizer(this.tap).connectionHandler(handler)));
	}

	/**
	 * Turns bytes into objects.
	 */
	private static final class FrameDecoder extends MessageToMessageDecoder<ByteBuf> {

		@Override
		protected void decode(ChannelHandlerContext ctx, ByteBuf bytes, List<Object> out) {
			out.add(new DefaultByteBufHolder(bytes.retain()));
		}

	}

	private static final class TypedFrameDecoder extends MessageToMessageDecoder<ByteBuf> {

		@Override
		protected void decode(ChannelHandlerContext ctx, ByteBuf bytes, List<Object> out) {
			out.add(new TypedFrame(bytes.retain()));
		}

	}

	/**
	 * A message that only looks as if it could be copied.
	 */
	private static final class TypedFrame extends DefaultByteBufHolder {

		TypedFrame(ByteBuf content) {
			super(content);
		}

	}

	/**
	 * Ways to own the bytes of a connection without requesting them.
	 */
	enum IdleOwner {

		NEVER_CLAIMS((connection) -> Mono.never()),

		NEVER_SUBSCRIBES((connection) -> {
			connection.inbound();
			return Mono.never();
		}),

		HAS_NO_DEMAND((connection) -> {
			connection.inbound().receive().subscribe(new BaseSubscriber<Object>() {

				@Override
				protected void hookOnSubscribe(Subscription subscription) {
				}

			});
			return Mono.never();
		}),

		HAS_NO_SLOT_YET(null);

		private final ConnectionHandler handler;

		private CompletableFuture<Integer> answer = new CompletableFuture<>();

		IdleOwner(ConnectionHandler handler) {
			this.handler = handler;
		}

		private TestServer create(InboundBytesTests tests, boolean secure) {
			TestServer server = tests.create(Link.of(tests.transport, secure), this.handler,
					(builder) -> builder.slotTimeout(Duration.ofHours(1))
						.customizer((tcpServer) -> tcpServer.childOption(ChannelOption.ALLOCATOR, tests.allocator)));
			if (this == HAS_NO_SLOT_YET) {
				this.answer = new CompletableFuture<>();
				server.events().on(SlotRequestEvent.class, (event) -> event.assign(Mono.fromFuture(this.answer)));
			}
			return server;
		}

	}

	enum Leave {

		STAY {
			@Override
			void accept(TestClient client) {
			}
		},

		FIN {
			@Override
			void accept(TestClient client) {
				client.close();
			}
		},

		RST {
			@Override
			void accept(TestClient client) {
				client.reset();
			}
		};

		abstract void accept(TestClient client);

	}

}
