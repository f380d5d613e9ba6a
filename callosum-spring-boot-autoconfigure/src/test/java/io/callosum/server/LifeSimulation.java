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

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Random;
import java.util.TreeSet;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import java.util.function.Predicate;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.util.concurrent.MockTicker;
import io.netty.util.concurrent.Ticker;
import org.reactivestreams.Publisher;
import org.reactivestreams.Subscriber;
import org.reactivestreams.Subscription;
import reactor.core.CoreSubscriber;
import reactor.core.publisher.Mono;
import reactor.netty.Connection;
import reactor.netty.ConnectionObserver;
import reactor.netty.NettyOutbound;
import reactor.netty.tcp.TcpServer;

import org.springframework.test.util.ReflectionTestUtils;

import io.callosum.server.LifeModel.Life;
import io.callosum.server.LifeModel.Situation;
import io.callosum.server.LifeSequence.Act;
import io.callosum.server.LifeSequence.Allocation;
import io.callosum.server.LifeSequence.Emission;
import io.callosum.server.LifeSequence.Handling;
import io.callosum.server.LifeSequence.Plan;
import io.callosum.server.LifeSequence.Setup;
import io.callosum.server.LifeSequence.Step;
import io.callosum.server.LifeSequence.Threads;

/**
 * Applies a {@link LifeSequence} to a server, on a single thread and in virtual time, and
 * shows the outcome to a {@link LifeModel}. Event loops and executors are queues that run
 * one task at a time, in an order determined by the seed, so that interactions between
 * threads can be reproduced. Everything is real except for the channels, the loops and
 * the threads that start and stop the server: there is no port, and
 * {@link #progressStop()} does not wait where {@link ServerRun} would.
 */
final class LifeSimulation implements SlotAllocator {

	private static final int MAX_TASKS = 20_000;

	/**
	 * The application manages slots of its own from this one on.
	 */
	private static final int FIRST_HEAP_SLOT = 100;

	private static final int ALL = 9;

	private static final int FIRST_PORT = 10_000;

	private static final InetSocketAddress LOCAL_ADDRESS = new InetSocketAddress("127.0.0.1", 4040);

	private final LifeSequence sequence;

	private final Setup setup;

	private final List<String> trace;

	private final Random random;

	private final MockTicker ticker = Ticker.newMockTicker();

	private final UnpooledByteBufAllocator buffers = new UnpooledByteBufAllocator(false);

	private final LifeModel model;

	private final List<Script> scripts = new ArrayList<>();

	private final List<PendingAnswer> pendingAnswers = new ArrayList<>();

	private final LowestSlotAllocator allocator;

	private final TreeSet<Integer> heap = new TreeSet<>();

	private final Queue<Runnable> executorTasks = new ArrayDeque<>();

	private final Queue<Runnable> ownThreadTasks = new ArrayDeque<>();

	private final CallosumServer server;

	private List<SimulatedLoop> loops = List.of();

	private ServerRun run;

	private Phase phase = Phase.STOPPED;

	private long drainDeadline;

	private boolean ownThreadBusy;

	/**
	 * Whether loops have ended, so that their timers no longer count overdue answers.
	 */
	private boolean timersLost;

	private int tasks;

	private LifeSimulation(LifeSequence sequence, List<String> trace) {
		this.sequence = sequence;
		this.setup = sequence.setup();
		this.trace = trace;
		this.random = new Random(~sequence.seed());
		this.model = new LifeModel(this.setup, this.ticker::nanoTime);
		this.allocator = new LowestSlotAllocator(this.setup.maxSlots());
		CallosumServer.Builder builder = CallosumServer.builder()
			.slotAllocator(this)
			.metricsRecorder(this.model)
			.maxConnections(this.setup.maxConnections())
			.maxConnectionsPerAddress(this.setup.maxPerAddress())
			.slotTimeout(Duration.ofNanos(LifeModel.SLOT_TIMEOUT))
			.idleTimeout(this.setup.idleTimeout() ? Duration.ofNanos(LifeModel.IDLE_TIMEOUT) : null)
			.writeTimeout(this.setup.writeTimeout() ? Duration.ofNanos(LifeModel.WRITE_TIMEOUT) : null)
			.eventPublisher((event) -> publish((CallosumServerEvent) event));
		if (this.setup.handler()) {
			builder.connectionHandler(this::handle);
		}
		if (this.setup.threads() != Threads.LOOPS) {
			builder.listenerExecutor(this::execute);
		}
		this.server = builder.build();
		ReflectionTestUtils.setField(this.server.userCode(), "ownThread", new OwnThread());
	}

	/**
	 * Run a sequence.
	 * @param trace collects what happens, or {@code null} to collect nothing
	 * @return how often each situation occurred
	 * @throws AssertionError if a promise was broken
	 */
	static Map<Situation, Integer> run(LifeSequence sequence, List<String> trace) {
		LifeSimulation simulation = new LifeSimulation(sequence, trace);
		simulation.run();
		return simulation.model.situations();
	}

	private void run() {
		start();
		for (Step step : this.sequence.steps()) {
			if (!(step instanceof Step.Accept && this.phase == Phase.STOPPING)) {
				progressStop();
			}
			trace("- " + step);
			execute(step);
			check();
			if (this.setup.eager()) {
				settle();
			}
		}
		end();
	}

	/**
	 * Whatever has happened, nothing is left of it in the end.
	 */
	private void end() {
		trace("- the end");
		settle();
		for (Script script : this.scripts) {
			if (this.random.nextBoolean()) {
				peerCloses(script.life);
			}
			else {
				peerResets(script.life);
			}
			resume(script.life);
			if (script.owner != null) {
				script.owner.demand(ALL);
			}
		}
		settle();
		// Those whose peer has sent so much that its departure is not noticed, and those
		// that get a slot as a result
		List<Script> unnoticed;
		while (!(unnoticed = unnoticed()).isEmpty()) {
			unnoticed.forEach(this::close);
			settle();
		}
		advance(Duration.ofSeconds(11));
		settle();
		while (!this.pendingAnswers.isEmpty()) {
			this.pendingAnswers.get(0).emit(Emission.HEAP, 0);
		}
		settle();
		advance(Duration.ofSeconds(31));
		settle();
		this.model.verify(this.server.connections().isEmpty(), "still connected: " + this.server.connections());
		if (this.phase == Phase.STOPPED) {
			start();
		}
		if (this.phase == Phase.RUNNING) {
			verifyAllIsToBeHad();
		}
		requestStop(Duration.ZERO);
		settle();
		this.model.verify(this.phase == Phase.STOPPED, "the server does not stop");
		this.model.verify(this.server.connections().isEmpty(), "connected after the stop");
		this.model.verify(this.heap.isEmpty(), "slots " + this.heap + " are not given back to the application");
		this.model.verify(this.buffers.metric().usedHeapMemory() + this.buffers.metric().usedDirectMemory() == 0,
				"buffers are not released");
		this.model.throwViolation();
	}

	private List<Script> unnoticed() {
		return this.scripts.stream()
			.filter((script) -> script.life.channel.isOpen() && script.connection != null)
			.toList();
	}

	/**
	 * Check that as many connections as the limits allow get the lowest slots.
	 */
	private void verifyAllIsToBeHad() {
		int connections = 2;
		if (this.setup.maxConnections() != null) {
			connections = this.setup.maxConnections();
		}
		if (this.setup.maxPerAddress() != null) {
			connections = Math.min(connections, this.setup.maxPerAddress());
		}
		for (int i = 0; i < connections && this.model.lowestFreeSlot() < this.setup.maxSlots(); i++) {
			int slot = this.model.lowestFreeSlot();
			Life life = accept(0, 1, Plan.PLAIN);
			settle();
			this.model.verify(life.slot == slot && !life.isClosed(), life + " should have slot " + slot);
		}
	}

	// The server's own threads

	@SuppressWarnings("unchecked")
	private void start() {
		trace("the server starts");
		if (this.loops.isEmpty() || this.setup.ownLoops()) {
			List<SimulatedLoop> loops = new ArrayList<>();
			for (int i = 0; i < this.setup.loops(); i++) {
				loops.add(new SimulatedLoop(this.ticker));
			}
			this.loops = loops;
		}
		this.run = new ServerRun(this.server);
		((AtomicReference<ServerRun>) ReflectionTestUtils.getField(this.server, "run")).set(this.run);
		this.phase = Phase.RUNNING;
	}

	private void requestStop(Duration timeout) {
		if (stopRequested(timeout)) {
			this.run.stop(timeout);
		}
	}

	private boolean stopRequested(Duration timeout) {
		if (this.phase == Phase.STOPPED) {
			return false;
		}
		long deadline = this.ticker.nanoTime() + timeout.toNanos();
		if (this.phase == Phase.RUNNING) {
			this.model.stopRequested();
			this.phase = Phase.STOPPING;
			this.drainDeadline = deadline;
		}
		this.drainDeadline = Math.min(this.drainDeadline, deadline);
		return true;
	}

	/**
	 * Advance a stop, as the thread that stops the server does when it need not wait.
	 */
	private boolean progressStop() {
		Phase before = this.phase;
		if (this.phase == Phase.STOPPED || this.phase == Phase.RUNNING) {
			return false;
		}
		if (this.phase == Phase.STOPPING) {
			passThroughLoops();
		}
		boolean drain = this.drainDeadline > this.ticker.nanoTime();
		if ((this.phase == Phase.STOPPING && !drain)
				|| (this.phase == Phase.DRAINING && (!drain || this.run.connections().isEmpty()))) {
			this.model.closing();
		}
		this.phase = switch (this.run.connections().progressStop(drain)) {
			case OPEN -> this.phase;
			case DRAINING -> Phase.DRAINING;
			case CLOSING -> Phase.CLOSING;
			case CLOSED -> Phase.STOPPED;
		};
		if (this.phase == before) {
			return false;
		}
		trace("the server is " + this.phase);
		if (this.phase == Phase.DRAINING) {
			this.model.draining();
		}
		else if (this.phase == Phase.STOPPED) {
			if (this.setup.ownLoops()) {
				passThroughLoops();
				this.loops.forEach(SimulatedLoop::end);
				this.timersLost = true;
			}
			this.run.end();
			this.model.stopped();
		}
		return true;
	}

	private void passThroughLoops() {
		for (SimulatedLoop loop : this.loops) {
			while (loop.hasWork()) {
				runTask(loop::runOne);
			}
		}
	}

	private void execute(Runnable task) {
		if (this.setup.threads() == Threads.EXECUTOR_ON_CALLER) {
			task.run();
			return;
		}
		int roll = (this.setup.threads() == Threads.EXECUTOR_THAT_REJECTS) ? this.random.nextInt(4) : 4;
		if (roll > 0) {
			this.executorTasks.add(task);
		}
		if (roll < 2) {
			// The executor may have accepted the task nevertheless
			throw new RejectedExecutionException("simulated");
		}
	}

	/**
	 * Let everything happen that can happen without time passing, except for the time of
	 * a second look. Repeat this if a listener then takes so long that another connection
	 * is found idle.
	 */
	private void settle() {
		runAll();
		long lookedAt;
		do {
			advance(Duration.ofNanos(LifeModel.SECOND_LOOK));
			lookedAt = this.ticker.nanoTime();
			runAll();
		}
		while (this.ticker.nanoTime() != lookedAt);
		this.model.verify(this.phase != Phase.CLOSING, "nothing happens any more, but the stop waits");
		check();
		this.model.checkIdle(this.timersLost);
	}

	/**
	 * Run one of the tasks that could be next.
	 */
	private boolean runOne() {
		List<Runnable> candidates = new ArrayList<>();
		for (SimulatedLoop loop : this.loops) {
			if (loop.hasWork()) {
				candidates.add(loop::runOne);
			}
		}
		if (!this.executorTasks.isEmpty()) {
			candidates.add(() -> SimulatedLoop.runAs(null, this.executorTasks.remove()));
		}
		if (!this.ownThreadTasks.isEmpty() && !this.ownThreadBusy) {
			candidates.add(this::runOwnThread);
		}
		if (candidates.isEmpty()) {
			return false;
		}
		runTask(candidates.get(this.random.nextInt(candidates.size())));
		return true;
	}

	private void runTask(Runnable task) {
		this.model.verify(++this.tasks < MAX_TASKS, "the server never comes to rest");
		this.model.throwViolation();
		task.run();
	}

	private void runOwnThread() {
		this.ownThreadBusy = true;
		SimulatedLoop.runAs(null, this.ownThreadTasks.remove());
		this.ownThreadBusy = false;
	}

	private void check() {
		this.model.shown(this.server.connections());
		this.model.checkAlways(this.server.connections());
	}

	private void runAll() {
		do {
			while (runOne()) {
				check();
			}
		}
		while (progressStop());
	}

	private void advance(Duration time) {
		this.ticker.advance(time.toNanos(), TimeUnit.NANOSECONDS);
	}

	// Steps

	private void execute(Step step) {
		if (step instanceof Step.Accept accept) {
			// Also while draining and closing, because a listener may have held the loop
			// until then
			if (this.phase != Phase.STOPPED) {
				accept(accept.loop(), accept.address(), accept.plan());
				if (this.phase == Phase.DRAINING || this.phase == Phase.CLOSING) {
					passThroughLoops();
				}
			}
		}
		else if (step instanceof Step.Answer answer) {
			if (!this.pendingAnswers.isEmpty()) {
				PendingAnswer pending = this.pendingAnswers.get(answer.pending() % this.pendingAnswers.size());
				runAs(pending.life, answer.onLoop(), () -> pending.emit(answer.emission(), answer.slot()));
			}
		}
		else if (step instanceof Step.PeerSends sends) {
			with(sends.connection(), (script) -> true, (script) -> peerSends(script.life, sends.bytes()));
		}
		else if (step instanceof Step.PeerCloses closes) {
			with(closes.connection(), (script) -> true, (script) -> peerCloses(script.life));
		}
		else if (step instanceof Step.PeerResets resets) {
			with(resets.connection(), (script) -> true, (script) -> peerResets(script.life));
		}
		else if (step instanceof Step.Close close) {
			with(close.connection(), (script) -> script.connection != null,
					(script) -> runAs(script.life, close.onLoop(), () -> close(script)));
		}
		else if (step instanceof Step.Write write) {
			with(write.connection(), (script) -> script.connection != null,
					(script) -> write(script, write.bytes(), write.onLoop()));
		}
		else if (step instanceof Step.WriteToAll write) {
			this.server.connections().forEach((connection) -> writeFirst(connection, write.bytes()));
		}
		else if (step instanceof Step.Request request) {
			withWorking(request.connection(), (script) -> script.owner != null,
					(script) -> script.owner.demand(request.buffers()));
		}
		else if (step instanceof Step.EndHandler end) {
			withWorking(end.connection(), (script) -> script.handling != null,
					(script) -> script.handling.end(end.failed()));
		}
		else if (step instanceof Step.Stall stall) {
			with(stall.connection(), (script) -> true, (script) -> stall(script.life));
		}
		else if (step instanceof Step.Resume resume) {
			with(resume.connection(), (script) -> true, (script) -> resume(script.life));
		}
		else if (step instanceof Step.BreakDown breakDown) {
			with(breakDown.connection(), (script) -> true, (script) -> breakDown(script.life, breakDown.silently()));
		}
		else if (step instanceof Step.Advance advance) {
			advance(Duration.ofMillis(advance.millis()));
		}
		else if (step instanceof Step.RunSome some) {
			for (int i = 0; i < some.tasks() && runOne(); i++) {
				check();
			}
		}
		else if (step instanceof Step.Settle) {
			settle();
		}
		else if (step instanceof Step.Stop stop) {
			requestStop(Duration.ofMillis(stop.timeoutMillis()));
		}
		else if (step instanceof Step.Start && this.phase == Phase.STOPPED) {
			this.model.reached(Situation.RESTARTED);
			start();
		}
	}

	private void with(int index, Predicate<Script> predicate, Consumer<Script> action) {
		withWorking(index, (script) -> script.life.channel.isOpen() && predicate.test(script), action);
	}

	/**
	 * Do something with a connection that is open, or whose handler is still working.
	 */
	private void withWorking(int index, Predicate<Script> predicate, Consumer<Script> action) {
		List<Script> candidates = this.scripts.stream()
			.filter((script) -> script.life.channel.isOpen() || script.life.handlerWorks())
			.filter(predicate)
			.toList();
		if (!candidates.isEmpty()) {
			action.accept(candidates.get(index % candidates.size()));
		}
	}

	/**
	 * Run code on the loop of a connection, or on a thread of the application.
	 */
	private void runAs(Life life, boolean onLoop, Runnable code) {
		boolean canBe = !life.loop.isBusy() && !life.loop.isShutdown();
		SimulatedLoop.runAs((onLoop && canBe) ? life.loop : null, code);
	}

	private Life accept(int loopIndex, int address, Plan plan) {
		SimulatedLoop loop = this.loops.get(loopIndex % this.loops.size());
		SimulatedChannel channel = new SimulatedChannel(
				new InetSocketAddress(address(address), FIRST_PORT + this.scripts.size()), LOCAL_ADDRESS);
		channel.config().setAllocator(this.buffers).setAutoRead(false);
		Life life = this.model.accept(channel, loop, address);
		this.scripts.add(new Script(life, plan));
		ServerRun run = this.run;
		TcpServer tcpServer = TcpServer.create().doOnChannelInit((observer, initialized, remoteAddress) -> {
			int refusedBefore = this.model.refusedAtAccept();
			run.connections().accepted(initialized);
			this.model.decided(life, this.model.refusedAtAccept() == refusedBefore);
		});
		channel.pipeline().addLast(tcpServer.configuration().channelInitializer(new Observer(), null, true));
		loop.register(channel);
		return life;
	}

	private static InetAddress address(int number) {
		try {
			return InetAddress.getByAddress(new byte[] { 10, 0, 0, (byte) number });
		}
		catch (UnknownHostException ex) {
			throw new IllegalStateException(ex);
		}
	}

	private void peerSends(Life life, int bytes) {
		if (life.peerGone) {
			return;
		}
		ByteBuf buffer = this.buffers.buffer(bytes);
		for (int i = 0; i < bytes; i++) {
			buffer.writeByte(life.bytesSent + i);
		}
		life.bytesSent += bytes;
		life.messagesSent++;
		life.channel.peerSends(buffer);
	}

	private void peerCloses(Life life) {
		life.peerGone = true;
		life.possibleReasons.add(EndReason.PEER_CLOSED);
		life.channel.peerCloses();
	}

	private void peerResets(Life life) {
		life.peerGone = true;
		life.possibleReasons.add(EndReason.PEER_RESET);
		life.channel.peerResets();
	}

	private void breakDown(Life life, boolean silently) {
		life.broken = true;
		if (silently) {
			life.possibleReasons.add(EndReason.CONNECTION_FAILED);
			life.channel.refuseWrites();
		}
		else {
			life.possibleReasons.add(EndReason.PEER_RESET);
			life.channel.breakDown();
		}
	}

	private void stall(Life life) {
		this.model.stalls(life, true);
		life.channel.stall();
	}

	private void resume(Life life) {
		this.model.stalls(life, false);
		life.channel.resume();
	}

	private void close(Script script) {
		script.life.closedByApplication = true;
		script.life.possibleReasons.add(EndReason.APPLICATION_CLOSED);
		script.connection.close();
	}

	/**
	 * Write on the loop to a connection whose event may not have been published yet.
	 */
	private void writeFirst(CallosumConnection connection, int bytes) {
		Script script = script(connection.remoteAddress());
		if (script.life.appWritten.size() > 0 || script.life.loop.isShutdown()) {
			return;
		}
		NettyOutbound outbound;
		try {
			outbound = connection.outbound();
		}
		catch (IllegalStateException ex) {
			return;
		}
		byte[] data = new byte[bytes];
		script.life.appWritten.writeBytes(data);
		SimulatedLoop.runAs(script.life.loop,
				() -> outbound.sendByteArray(Mono.just(data)).then().subscribe(null, (error) -> {
				}));
	}

	private void write(Script script, int bytes, boolean onLoop) {
		byte[] data = new byte[bytes];
		this.random.nextBytes(data);
		script.life.appWritten.writeBytes(data);
		Runnable write = () -> script.connection.outbound()
			.sendByteArray(Mono.just(data))
			.then()
			.subscribe(null, (error) -> {
			});
		if (onLoop) {
			script.life.loop.execute(write);
		}
		else {
			write.run();
		}
	}

	// The application

	private void publish(CallosumServerEvent event) {
		Script script = script(event);
		if (script == null) {
			this.model.verify(false, event + " of no connection");
			return;
		}
		this.model.shown(this.server.connections());
		this.model.begins(event, script.life);
		trace("    " + event.getClass().getSimpleName() + " of " + script.life
				+ ((event instanceof ServerErrorEvent error) ? ": " + error.getError() : ""));
		try {
			if (event instanceof SlotRequestEvent request) {
				script.request = request;
				act(script, request, script.plan.onRequest());
				answer(script, request);
			}
			else if (event instanceof ConnectionEvent connection) {
				script.connection = connection.getConnection();
				verifyThrows(() -> script.request.assign(1));
				act(script, event, script.plan.onConnection());
			}
			else if (event instanceof SlotFreeEvent free) {
				if (free.getSlot() >= FIRST_HEAP_SLOT) {
					this.model.verify(this.heap.remove(free.getSlot()), event + " of a slot not in use");
				}
				act(script, event, script.plan.onFree());
			}
			else if (script.plan.errorListenerThrows()) {
				throw new IllegalStateException("simulated");
			}
		}
		finally {
			this.model.shown(this.server.connections());
			this.model.ends(event, script.life);
			trace("    end of " + event.getClass().getSimpleName() + " of " + script.life);
		}
	}

	private Script script(CallosumServerEvent event) {
		if (event instanceof ServerErrorEvent error) {
			Life life = this.model.life(error.getConnectionId());
			return (life != null) ? this.scripts.get(life.number - 1) : null;
		}
		return script((event instanceof SlotRequestEvent request) ? request.getRequest().remoteAddress()
				: (event instanceof ConnectionEvent connection) ? connection.getConnection().remoteAddress()
						: ((SlotFreeEvent) event).getConnection().remoteAddress());
	}

	private Script script(SocketAddress remoteAddress) {
		return this.scripts.get(((InetSocketAddress) remoteAddress).getPort() - FIRST_PORT);
	}

	private void act(Script script, CallosumServerEvent event, List<Act> acts) {
		Life life = script.life;
		for (Act act : acts) {
			trace("      listener: " + act);
			switch (act) {
				case CLOSE -> close(script, event);
				case PEER_CLOSES -> peerCloses(life);
				case PEER_RESETS -> peerResets(life);
				case WRITE -> write(script, 10, false);
				case CLAIM -> claimInListener(script);
				case ANSWER -> answerAnother(event);
				case LET_OTHERS_RUN -> letOthersRun();
				case TAKE_TIME -> advance(Duration.ofSeconds(11));
				case STOP -> stopInListener(Duration.ZERO);
				case STOP_GRACEFULLY -> stopInListener(Duration.ofSeconds(4));
				case THROW -> throw this.model.throwing(new IllegalStateException("simulated"), life, true);
				case OVERFLOW -> throw this.model.throwing(new StackOverflowError("simulated"), life, true);
			}
		}
	}

	/**
	 * Let other threads run before this one has finished.
	 */
	private void letOthersRun() {
		for (int i = 0; i < 4; i++) {
			runOne();
		}
	}

	private void close(Script script, CallosumServerEvent event) {
		if (event instanceof SlotFreeEvent free) {
			free.getConnection().close();
		}
		else {
			this.model.reached(Situation.CLOSED_IN_LISTENER);
			close(script);
		}
	}

	private void claimInListener(Script script) {
		if (this.setup.handler() || script.owner != null) {
			verifyThrows(script.connection::inbound);
		}
		else {
			claim(script, script.connection);
		}
	}

	private void verifyThrows(Runnable code) {
		try {
			code.run();
		}
		catch (IllegalStateException ex) {
			return;
		}
		this.model.verify(false, "no IllegalStateException");
	}

	/**
	 * Answer another request with the slot that is being freed, or any.
	 */
	private void answerAnother(CallosumServerEvent event) {
		if (this.pendingAnswers.isEmpty()) {
			return;
		}
		PendingAnswer answer = this.pendingAnswers.get(this.random.nextInt(this.pendingAnswers.size()));
		if (event instanceof SlotFreeEvent free && free.getSlot() < FIRST_HEAP_SLOT) {
			answer.emit(Emission.RAW, free.getSlot());
			if (!this.pendingAnswers.isEmpty() && this.random.nextBoolean()) {
				this.pendingAnswers.get(0).emit(Emission.RAW, free.getSlot());
			}
		}
		else {
			answer.emit(Emission.HEAP, 0);
		}
	}

	private void stopInListener(Duration timeout) {
		if (stopRequested(timeout)) {
			this.server.stop(timeout);
		}
	}

	private void answer(Script script, SlotRequestEvent event) {
		Life life = script.life;
		switch (script.plan.reply()) {
			case NONE -> life.mayAllocate = true;
			case HEAP -> assign(life, event, takeFromHeap());
			case RAW -> assign(life, event, script.plan.slot());
			case LATER -> event.assign(new PendingAnswer(life, null, false));
			case NOW -> event.assign(new PendingAnswer(life, Emission.HEAP, false));
			case NOW_FAILED -> event.assign(new PendingAnswer(life, Emission.ERROR, false));
			case THROW_ON_SUBSCRIBE -> event.assign(new PendingAnswer(life, null, true));
			case REJECT -> event.reject(this.model.refusing(new IllegalStateException("simulated"), life));
			case REJECT_NO_SLOT -> event.reject(noSlot(life));
			case THROW -> throw this.model.throwing(new IllegalStateException("simulated"), life, true);
			case OVERFLOW -> throw this.model.throwing(new StackOverflowError("simulated"), life, true);
			case ASSIGN_AND_THROW -> {
				assign(life, event, takeFromHeap());
				throw this.model.throwing(new IllegalStateException("simulated"), life, true);
			}
			case LATER_AND_THROW -> {
				event.assign(new PendingAnswer(life, null, false));
				throw this.model.throwing(new IllegalStateException("simulated"), life, true);
			}
			case REJECT_AND_THROW -> {
				event.reject(new IllegalStateException("rejected"));
				throw this.model.throwing(new IllegalStateException("simulated"), life, true);
			}
			case ASSIGN_TWICE -> {
				assign(life, event, takeFromHeap());
				verifyThrows(() -> event.assign(script.plan.slot()));
			}
			case NEGATIVE -> {
				try {
					event.assign(-1);
				}
				catch (IllegalArgumentException ex) {
					throw this.model.throwing(ex, life, true);
				}
				this.model.verify(false, "a negative slot can be assigned");
			}
		}
	}

	private void assign(Life life, SlotRequestEvent event, int slot) {
		event.assign(slot);
		this.model.assigned(life, slot, false);
	}

	private int takeFromHeap() {
		int slot = FIRST_HEAP_SLOT;
		while (!this.heap.add(slot)) {
			slot++;
		}
		return slot;
	}

	private NoSlotAvailableException noSlot(Life life) {
		life.noSlot = true;
		life.refused = true;
		return new NoSlotAvailableException("simulated");
	}

	@Override
	public int allocate(SlotRequest request) {
		Script script = script(request.remoteAddress());
		Life life = script.life;
		this.model.asked(life);
		trace("    allocate for " + life);
		if (script.plan.allocation() == Allocation.SLOW) {
			letOthersRun();
		}
		if (script.plan.allocation() == Allocation.NO_SLOT || this.model.lowestFreeSlot() >= this.setup.maxSlots()) {
			throw noSlot(life);
		}
		if (script.plan.allocation() == Allocation.FAIL) {
			throw this.model.refusing(new IllegalStateException("simulated"), life);
		}
		int slot = (script.plan.allocation() != Allocation.NEGATIVE) ? this.allocator.allocate(request) : -1;
		this.model.allocated(life, slot);
		return slot;
	}

	@Override
	public void release(int slot) {
		trace("    release " + slot);
		Life life = this.model.released(slot, this.server.connections());
		if (life != null) {
			this.allocator.release(slot);
			Allocation allocation = this.scripts.get(life.number - 1).plan.allocation();
			if (allocation == Allocation.SLOW) {
				letOthersRun();
			}
			if (allocation == Allocation.FAIL_ON_RELEASE) {
				throw this.model.throwing(new IllegalStateException("simulated"), life, false);
			}
		}
	}

	private Publisher<Void> handle(CallosumConnection connection) {
		Script script = script(connection.remoteAddress());
		Life life = script.life;
		trace("    handler of " + life + ": " + script.plan.handling());
		this.model.handled(life);
		Handler handler = new Handler(life);
		switch (script.plan.handling()) {
			case STAY -> script.handling = handler;
			case CLAIM, CLAIM_AND_END_WITH_INBOUND -> {
				script.handling = handler;
				claim(script, connection);
			}
			case COMPLETE -> {
				handlerEnds(life, false);
				return Mono.empty();
			}
			case FAIL -> {
				handlerEnds(life, true);
				return Mono.error(this.model.throwing(new IllegalStateException("simulated"), life, false));
			}
			case THROW -> {
				handlerEnds(life, true);
				throw this.model.throwing(new IllegalStateException("simulated"), life, false);
			}
			case NULL -> {
				handlerEnds(life, true);
				life.handlerReturnedNull = true;
				return null;
			}
		}
		return handler;
	}

	private void handlerEnds(Life life, boolean failed) {
		life.handlerEnded = true;
		life.handlerFailed = failed;
		life.possibleReasons.add(failed ? EndReason.HANDLER_FAILED : EndReason.HANDLER_COMPLETED);
	}

	@SuppressWarnings("unchecked")
	private void claim(Script script, CallosumConnection connection) {
		script.owner = new Owner(script);
		script.life.inbound = true;
		((Publisher<Object>) connection.inbound().receiveObject()).subscribe(script.owner);
	}

	private void trace(String line) {
		if (this.trace != null) {
			this.trace.add(line);
		}
	}

	/**
	 * How far a stop has progressed.
	 */
	private enum Phase {

		RUNNING, STOPPING, DRAINING, CLOSING, STOPPED

	}

	/**
	 * What the application does with a connection, and what it has received for it.
	 */
	private static final class Script {

		private final Life life;

		private final Plan plan;

		private SlotRequestEvent request;

		private CallosumConnection connection;

		private Owner owner;

		private Handler handling;

		Script(Life life, Plan plan) {
			this.life = life;
			this.plan = plan;
		}

	}

	/**
	 * An asynchronous answer to a slot request.
	 */
	private final class PendingAnswer implements Publisher<Integer>, Subscription {

		private final Life life;

		private final Emission atOnce;

		private final boolean fails;

		private Subscriber<? super Integer> subscriber;

		PendingAnswer(Life life, Emission atOnce, boolean fails) {
			this.life = life;
			this.atOnce = atOnce;
			this.fails = fails;
		}

		@Override
		public void subscribe(Subscriber<? super Integer> subscriber) {
			LifeSimulation.this.model.verify(this.subscriber == null, this.life + " subscribes its slot twice");
			LifeSimulation.this.model.verify(!this.life.refused, this.life + " is refused, but asks for a slot");
			this.subscriber = subscriber;
			if (this.fails) {
				throw LifeSimulation.this.model.refusing(new IllegalStateException("simulated"), this.life);
			}
			subscriber.onSubscribe(this);
		}

		@Override
		public void request(long n) {
			LifeSimulation.this.model.verify(n == 1 && !this.life.pending, this.life + " asks for more than a slot");
			LifeSimulation.this.pendingAnswers.add(this);
			this.life.pending = true;
			LifeSimulation.this.model.reached(Situation.ANSWER_AWAITED);
			if (this.atOnce != null) {
				emit(this.atOnce, 0);
			}
		}

		@Override
		public void cancel() {
			LifeSimulation.this.model.verify(false, "the answer to " + this.life + " is cancelled");
		}

		void emit(Emission emission, int slot) {
			LifeModel model = LifeSimulation.this.model;
			LifeSimulation.this.pendingAnswers.remove(this);
			this.life.pending = false;
			trace("    answer to " + this.life + ": " + emission);
			switch (emission) {
				case HEAP, HEAP_TWICE -> emit(takeFromHeap());
				case RAW -> emit(slot);
				case NEGATIVE -> emit(-1);
				case ERROR ->
					this.subscriber.onError(model.refusing(new IllegalStateException("simulated"), this.life));
				case NO_SLOT -> this.subscriber.onError(noSlot(this.life));
				case EMPTY -> {
					model.refused(this.life);
					this.subscriber.onComplete();
				}
			}
			if (emission == Emission.HEAP_TWICE) {
				this.subscriber.onNext(slot);
			}
		}

		private void emit(int slot) {
			LifeSimulation.this.model.assigned(this.life, slot, false);
			this.subscriber.onNext(slot);
			this.subscriber.onComplete();
		}

	}

	/**
	 * The owner of a connection's bytes.
	 */
	private final class Owner implements CoreSubscriber<Object> {

		private final Script script;

		private Subscription subscription;

		/**
		 * What was requested before the loop subscribed.
		 */
		private int early;

		Owner(Script script) {
			this.script = script;
		}

		@Override
		public void onSubscribe(Subscription subscription) {
			this.subscription = subscription;
			demand(Math.min(ALL, this.script.plan.demand() + this.early));
		}

		void demand(int buffers) {
			if (this.subscription == null) {
				this.early = Math.min(ALL, this.early + buffers);
			}
			else if (buffers == ALL) {
				Life life = this.script.life;
				if (!life.demandsAll()) {
					life.demandsAllSince = LifeSimulation.this.ticker.nanoTime();
				}
				this.subscription.request(Long.MAX_VALUE);
			}
			else if (buffers > 0) {
				this.subscription.request(buffers);
			}
		}

		@Override
		public void onNext(Object message) {
			Life life = this.script.life;
			ByteBuf buffer = (ByteBuf) message;
			LifeSimulation.this.model.verify(life.inboundEnds == 0, life + " receives bytes after their end");
			while (buffer.isReadable()) {
				LifeSimulation.this.model.verify(buffer.readByte() == (byte) life.bytesReceived++,
						"the bytes of " + life + " are not in order");
			}
		}

		@Override
		public void onError(Throwable error) {
			this.script.life.inboundEnds++;
			this.script.life.inboundEndedAt = LifeSimulation.this.ticker.nanoTime();
		}

		@Override
		public void onComplete() {
			this.script.life.inboundEnds++;
			this.script.life.inboundEndedAt = LifeSimulation.this.ticker.nanoTime();
			if (this.script.plan.handling() == Handling.CLAIM_AND_END_WITH_INBOUND && this.script.handling != null) {
				this.script.handling.end(false);
			}
		}

	}

	/**
	 * The publisher of a handler.
	 */
	private final class Handler implements Publisher<Void>, Subscription {

		private final Life life;

		private Subscriber<? super Void> subscriber;

		Handler(Life life) {
			this.life = life;
		}

		@Override
		public void subscribe(Subscriber<? super Void> subscriber) {
			this.subscriber = subscriber;
			subscriber.onSubscribe(this);
			if (this.life.handlerEnded) {
				subscriber.onComplete();
			}
		}

		@Override
		public void request(long n) {
		}

		@Override
		public void cancel() {
			LifeSimulation.this.model.cancelled(this.life);
		}

		void end(boolean failed) {
			if (this.life.handlerEnded || this.life.handlerCancelled) {
				return;
			}
			if (this.life.isClosed()) {
				LifeSimulation.this.model.reached(Situation.COMPLETED_WITHOUT_PEER);
			}
			handlerEnds(this.life, failed);
			if (this.subscriber == null) {
				return;
			}
			if (failed) {
				this.subscriber.onError(
						LifeSimulation.this.model.throwing(new IllegalStateException("simulated"), this.life, false));
			}
			else {
				this.subscriber.onComplete();
			}
		}

	}

	/**
	 * Does what Reactor Netty's own observer of a server's connections does.
	 */
	private final class Observer implements ConnectionObserver {

		@Override
		public void onUncaughtException(Connection connection, Throwable error) {
			LifeSimulation.this.model.verify(false, "Reactor Netty logs " + error);
			connection.dispose();
		}

		@Override
		public void onStateChange(Connection connection, State state) {
			if (state == State.DISCONNECTING && connection.channel().isActive() && !connection.isPersistent()) {
				connection.dispose();
			}
		}

	}

	/**
	 * Stands in for the thread that the server falls back to.
	 */
	private final class OwnThread extends ThreadPoolExecutor {

		OwnThread() {
			super(0, 1, 1, TimeUnit.SECONDS, new LinkedBlockingQueue<>());
		}

		@Override
		public void execute(Runnable task) {
			LifeSimulation.this.ownThreadTasks.add(task);
		}

	}

}
