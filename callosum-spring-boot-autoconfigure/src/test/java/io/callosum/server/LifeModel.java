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

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeoutException;
import java.util.function.LongSupplier;
import java.util.function.Predicate;

import io.callosum.server.LifeSequence.Setup;
import io.callosum.server.LifeSequence.Threads;

/**
 * What the design promises about the life of connections, expressed as what an observer
 * may see: the events, the calls of the allocator, the bytes, the listed connections and
 * the counts. It knows what was done to the server, but nothing about how the server
 * works.
 */
final class LifeModel implements CallosumMetricsRecorder {

	static final long SLOT_TIMEOUT = Duration.ofSeconds(10).toNanos();

	static final long IDLE_TIMEOUT = Duration.ofSeconds(7).toNanos();

	/**
	 * A connection that is found idle is checked again a moment later.
	 */
	static final long SECOND_LOOK = Duration.ofMillis(2).toNanos();

	static final long WRITE_TIMEOUT = Duration.ofSeconds(2).toNanos();

	private static final long COMPLETION_TIMEOUT = Duration.ofSeconds(10).toNanos();

	private static final long QUIET_PERIOD = Duration.ofSeconds(1).toNanos();

	private static final long LINGER = Duration.ofSeconds(1).toNanos();

	/**
	 * With this many unread bytes, it is no longer noticed that a peer leaves.
	 */
	private static final int READ_AHEAD = 16 * 1024;

	private final Setup setup;

	private final LongSupplier clock;

	private final List<Life> lives = new ArrayList<>();

	private final Map<String, Life> livesById = new HashMap<>();

	/**
	 * The holder of each slot, as far as observed.
	 */
	private final Map<Integer, Life> holders = new HashMap<>();

	private final Set<Integer> allocatorSlots = new TreeSet<>();

	private final Map<Throwable, Fault> faults = new IdentityHashMap<>();

	private final Map<Situation, Integer> situations = new EnumMap<>(Situation.class);

	private final Map<RefusalReason, Integer> refusals = new EnumMap<>(RefusalReason.class);

	private int admitted;

	private int accepted;

	private int refused;

	private int assigned;

	private int linesWritten;

	private int freed;

	private int overdue;

	private int overdueAnswered;

	private int listenersFailed;

	private int listenerFaults;

	private boolean stopping;

	private boolean closing;

	private Long drainingSince;

	private int stops;

	private AssertionError violation;

	LifeModel(Setup setup, LongSupplier clock) {
		this.setup = setup;
		this.clock = clock;
	}

	// What is done to the server

	Life accept(SimulatedChannel channel, SimulatedLoop loop, int address) {
		Life life = new Life(this.lives.size() + 1, channel, loop, address);
		life.runs = this.stops;
		if (this.stopping) {
			life.possibleReasons.add(EndReason.SERVER_STOPPED);
		}
		this.lives.add(life);
		return life;
	}

	/**
	 * The server has handled the new channel.
	 */
	void decided(Life life, boolean isAdmitted) {
		life.run = true;
		life.acceptedAt = now();
		int surely = count(life, Life::countsSurely);
		int maybe = count(life, (other) -> other.admitted && !other.settled);
		int surelyOfAddress = count(life, (other) -> other.address == life.address && other.countsSurely());
		int maybeOfAddress = count(life, (other) -> other.address == life.address && other.admitted && !other.settled);
		Integer max = this.setup.maxConnections();
		Integer maxPerAddress = this.setup.maxPerAddress();
		if (isAdmitted) {
			verify((max == null || surely < max) && (maxPerAddress == null || surelyOfAddress < maxPerAddress),
					life + " is admitted over the limit");
			life.admitted = true;
			life.id = "c" + (++this.admitted);
			this.livesById.put(life.id, life);
		}
		else {
			verify((max != null && maybe >= max) || (maxPerAddress != null && maybeOfAddress >= maxPerAddress),
					life + " is refused below the limit");
		}
	}

	void stopRequested() {
		this.stopping = true;
		if (this.lives.stream().anyMatch((life) -> life.run && !life.isClosed())) {
			reached(Situation.STOPPED_WITH_CONNECTIONS);
		}
		this.lives.forEach((life) -> life.possibleReasons.add(EndReason.SERVER_STOPPED));
	}

	/**
	 * The peer stops or resumes reading.
	 */
	void stalls(Life life, boolean stalled) {
		if (life.stalled != stalled) {
			life.stalled = stalled;
			// What was observed before the change does not count
			life.stalledSince = null;
			life.lingersSince = null;
		}
	}

	void draining() {
		this.drainingSince = now();
	}

	/**
	 * All connections are about to be closed.
	 */
	void closing() {
		this.drainingSince = null;
		this.closing = true;
	}

	void stopped() {
		this.stopping = false;
		this.closing = false;
		for (Life life : this.lives) {
			verify(!life.handlerWorks(), "the handler of " + life + " works on after the stop");
			verify(!life.run || life.isClosed(), life + " is open after the stop");
			// An answer to a connection of an earlier run is freed when it comes
			verify(life.runs < this.stops || !life.held || life.freed, life + " holds its slot after the stop");
			verify(life.runs < this.stops || !life.given || life.slot < 0 || life.freed
					|| life.statuses.contains(Status.HELD), "the stop does not wait for the answer to " + life);
			life.settled = true;
		}
		this.stops++;
	}

	/**
	 * User code throws, which must be reported.
	 */
	<T extends Throwable> T throwing(T error, Life life, boolean listener) {
		if (listener) {
			this.listenerFaults++;
			reached(Situation.LISTENER_FAILED);
		}
		boolean refuses = listener && life.publishing instanceof SlotRequestEvent;
		if (refuses) {
			return refusing(error, life);
		}
		this.faults.put(error, new Fault(life, false));
		return error;
	}

	/**
	 * User code refuses a connection, which must be reported unless the connection has
	 * ended.
	 */
	<T extends Throwable> T refusing(T error, Life life) {
		this.faults.put(error, new Fault(life, true));
		refused(life);
		return error;
	}

	// What is seen

	void begins(CallosumServerEvent event, Life life) {
		if (event instanceof ServerErrorEvent error) {
			reported(error);
			return;
		}
		if (life == null) {
			return;
		}
		verify(life.publishing == null,
				event + " is published while " + life.publishing + " of the same connection is");
		life.publishing = event;
		if (this.setup.threads() != Threads.LOOPS) {
			verify(SimulatedLoop.current() == null, event + " is published on an event loop");
		}
		else {
			verify(SimulatedLoop.current() == ((life.loop.isShutdown()) ? null : life.loop),
					event + " is not published on the event loop of its connection");
		}
		if (event instanceof SlotRequestEvent request) {
			verify(life.admitted, event + " of a connection that is not admitted");
			verify(!life.requested, event + " is the second");
			verify(request.getRequest().connectionId().equals(life.id), event + " should be of " + life.id);
			life.requested = true;
		}
		else if (event instanceof ConnectionEvent connection) {
			verify(life.held && life.slot == connection.getSlot(), event + ", but that is not the slot of " + life);
			verify(life.channel.written().size() > 0, event + " before the slot line is written");
			verify(++life.connectionEvents == 1, event + " is the second");
			verify(life.freeEvents == 0, event + " after the SlotFreeEvent");
			reached(Situation.CONNECTED);
		}
		else if (event instanceof SlotFreeEvent free) {
			hold(life, free.getSlot());
			verify(++life.freeEvents == 1, event + " is the second");
			verify(life.channel.written().isEmpty() || life.isClosed(), event + " while the connection is open");
			checkReason(life, free.getReason());
			boolean lost = this.setup.handler() && life.connectionEvents > 0 && !life.mustNotBeHandled && !life.handled
					&& free.getReason().isOfPeer() && free.getConnection().bytesReceived() > 0;
			verify(!lost, "the handler was not called for what the peer of " + life + " has sent");
			life.reason = free.getReason();
			life.closedAt = now();
			changed(life.slot, Status.FREEING);
		}
	}

	private void checkReason(Life life, EndReason reason) {
		boolean possible = switch (reason) {
			case SLOT_TIMEOUT -> now() - life.acceptedAt >= SLOT_TIMEOUT;
			case IDLE_TIMEOUT -> this.setup.idleTimeout() && now() - life.channel.lastActivity() >= IDLE_TIMEOUT;
			case WRITE_TIMEOUT -> this.setup.writeTimeout() && life.channel.waitingSince() != null
					&& now() - life.channel.waitingSince() >= WRITE_TIMEOUT;
			case REFUSED -> life.refused;
			case SERVER_STOPPED ->
				life.possibleReasons.contains(reason) && (this.drainingSince == null || life.channel.written().isEmpty()
						|| (!life.handled && (!life.inbound || now() - this.drainingSince >= QUIET_PERIOD)));
			default -> life.possibleReasons.contains(reason);
		};
		verify(possible, "SlotFreeEvent of " + life + " with the reason " + reason + ", which it had no cause for");
	}

	void ends(CallosumServerEvent event, Life life) {
		if (life == null || event instanceof ServerErrorEvent) {
			return;
		}
		life.publishing = null;
		if (event instanceof ConnectionEvent) {
			life.mustBeHandled = this.setup.handler() && life.channel.isActive() && !this.stopping
					&& !life.closedByApplication;
			life.mustNotBeHandled = life.closedByApplication || this.stopping;
		}
		else if (event instanceof SlotFreeEvent) {
			life.freed = true;
			if (life.late || life.timedOut) {
				reached(Situation.LATE_ANSWER_FREED);
			}
			this.holders.remove(life.slot, life);
			changed(life.slot, Status.FREE);
		}
	}

	/**
	 * A slot was assigned to a connection.
	 */
	void assigned(Life life, int slot, boolean allocated) {
		verify(!life.given, life + " was given a slot twice");
		life.given = true;
		life.slot = slot;
		life.allocated = allocated;
		life.late = now() - life.acceptedAt > SLOT_TIMEOUT;
		if (slot < 0) {
			refused(life);
			return;
		}
		Life holder = this.holders.get(slot);
		life.statuses.add((holder == null) ? Status.FREE : (holder.freeEvents == 0) ? Status.HELD : Status.FREEING);
		if (life.statuses.contains(Status.FREEING)) {
			reached(Situation.WAITED_FOR_SLOT);
		}
	}

	/**
	 * The answer of the application, or the lack of one, refuses a connection.
	 */
	void refused(Life life) {
		life.refused = true;
	}

	void asked(Life life) {
		verify(life.mayAllocate, "the allocator is asked for " + life + ", which is answered");
		life.mayAllocate = false;
	}

	void allocated(Life life, int slot) {
		if (slot >= 0) {
			this.allocatorSlots.add(slot);
		}
		assigned(life, slot, true);
	}

	Life released(int slot, Collection<CallosumConnection> connections) {
		Life life = this.lives.stream()
			.filter((candidate) -> candidate.allocated && candidate.slot == slot && candidate.held
					&& !candidate.released)
			.findFirst()
			.orElse(null);
		verify(life != null, "slot " + slot + " is released, which nobody has from the allocator");
		if (life != null) {
			verify(life.freed, "slot " + slot + " is released before the listeners of its SlotFreeEvent have returned");
			verify(life.succeeded || connections.stream().anyMatch((connection) -> connection.slot() == slot),
					life + " is not shown any more when its slot is released");
			life.released = true;
			this.allocatorSlots.remove(slot);
		}
		return life;
	}

	void handled(Life life) {
		verify(life.connectionEvents == 1 && life.publishing == null,
				"the handler is called before the listeners of " + life);
		verify(!life.mustNotBeHandled, "the handler is called although " + life + " was ended before");
		verify(life.freeEvents == 0, "the handler is called after the SlotFreeEvent of " + life);
		verify(!life.handled, "the handler is called twice for " + life);
		life.handled = true;
	}

	/**
	 * The publisher of a handler is cancelled.
	 */
	void cancelled(Life life) {
		verify(life.isClosed(), "the handler of " + life + " is cancelled early");
		boolean mayComplete = life.inbound && life.reason != null && life.reason.isOfPeer() && !this.closing;
		// A handler that does not request everything need not see the end
		long since = (life.inboundEnds == 1) ? life.inboundEndedAt : life.acceptedAt;
		verify(!mayComplete || ((life.inboundEnds == 1 || !life.demandsAll()) && now() - since >= COMPLETION_TIMEOUT),
				"the handler of " + life + " is cancelled although it may complete");
		life.handlerCancelled = true;
		if (mayComplete) {
			reached(Situation.COMPLETION_TIMED_OUT);
		}
	}

	private void reported(ServerErrorEvent event) {
		Throwable error = event.getError();
		Life life = this.livesById.get(event.getConnectionId());
		Fault fault = this.faults.get(error);
		if (fault != null) {
			verify(++fault.reported == 1, error + " is reported twice");
			verify(fault.life == life, error + " is reported for " + life + " and not " + fault.life);
			if (fault.refuses && life != null) {
				life.refusalErrors++;
			}
		}
		else if (life == null) {
			verify(false, error + " is reported, which nobody threw");
		}
		else if (error instanceof TimeoutException) {
			verify(now() - life.acceptedAt >= SLOT_TIMEOUT, life + " is timed out early");
			life.timedOut = true;
			life.refusalErrors++;
		}
		else if (life.given && life.slot >= 0 && !life.held && !life.taken) {
			verify(life.statuses.contains(Status.HELD), life + " is refused a slot that nobody held: " + error);
			life.taken = true;
			life.refusalErrors++;
		}
		else if (life.handlerReturnedNull) {
			life.handlerReturnedNull = false;
		}
		else {
			verify(life.refused, error + " is reported for " + life + " without a cause");
			life.refusalErrors++;
		}
		if (life != null) {
			verify(life.refusalErrors <= 1, "a second error tells why " + life + " is refused: " + error);
		}
	}

	/**
	 * Note which connections the server lists.
	 */
	void shown(Collection<CallosumConnection> connections) {
		for (CallosumConnection connection : connections) {
			hold(this.livesById.get(connection.id()), connection.slot());
		}
	}

	/**
	 * A connection was observed to hold a slot.
	 */
	private void hold(Life life, int slot) {
		verify(life.given && life.slot == slot, life + " has slot " + slot + ", which nobody assigned to it");
		if (life.held) {
			return;
		}
		life.held = true;
		verify(life.statuses.contains(Status.FREE) || life.statuses.contains(Status.FREEING),
				life + " has a slot that another connection holds");
		Life other = this.holders.put(slot, life);
		verify(other == null, other + " still holds the slot of " + life);
		changed(slot, Status.HELD);
		for (Life before : this.lives) {
			before.succeeded |= before.freed && before.slot == slot;
		}
	}

	private void changed(int slot, Status status) {
		for (Life life : this.lives) {
			if (life.given && life.slot == slot && !life.held && !life.taken) {
				life.statuses.add(status);
			}
		}
	}

	// What holds at any time

	void checkAlways(Collection<CallosumConnection> connections) {
		Set<String> shown = new TreeSet<>();
		connections.forEach((connection) -> shown.add(connection.id()));
		Set<Integer> expectedSlots = new TreeSet<>();
		for (Life life : this.lives) {
			if (life.held) {
				verify(life.freed != shown.remove(life.id),
						life + (life.freed ? " is still shown after its end" : " is not shown, but holds its slot"));
				verify(!life.allocated || life.freed == life.released, life + " is freed without release");
			}
			if (life.allocated && life.slot >= 0 && !life.freed) {
				expectedSlots.add(life.slot);
			}
			checkBytes(life);
			verify(!life.run || life.isClosed() || life.held || now() - life.acceptedAt < SLOT_TIMEOUT
					|| !life.loop.isIdle(), life + " is not timed out, although nothing keeps its event loop from it");
		}
		verify(shown.isEmpty(), shown + " are shown without a slot");
		verify(this.allocatorSlots.equals(expectedSlots),
				"slots " + this.allocatorSlots + " of the allocator are in use, not " + expectedSlots);
		verify(this.accepted >= this.refused + this.assigned && this.assigned >= this.freed
				&& this.overdue >= this.overdueAnswered, "counted: " + counts());
		throwViolation();
	}

	private void checkBytes(Life life) {
		List<byte[]> written = life.channel.written();
		if (written.size() == life.chunksChecked) {
			return;
		}
		life.chunksChecked = written.size();
		verify(life.held && !life.taken && !life.refused && !life.timedOut && !life.late,
				"bytes are written to " + life + ", which has no slot, or got it too late");
		byte[] line = (life.slot + "\r\n").getBytes(StandardCharsets.US_ASCII);
		verify(Arrays.equals(written.get(0), line), "the first bytes of " + life + " are not its slot line alone");
		byte[] bytes = life.channel.bytes();
		byte[] expected = life.appWritten.toByteArray();
		int length = bytes.length - line.length;
		verify(length <= expected.length && Arrays.equals(bytes, line.length, bytes.length, expected, 0, length),
				"after the slot line of " + life + " comes what the application did not write");
	}

	void throwViolation() {
		if (this.violation != null) {
			throw this.violation;
		}
	}

	// What holds when nothing more can happen without time passing

	void checkIdle(boolean timersLost) {
		int open = 0;
		int stillOverdue = 0;
		for (Life life : this.lives) {
			if (life.timedOut || life.possibleReasons.contains(EndReason.SERVER_STOPPED)) {
				// The reason for the refusal was reported before, so a late answer is
				// dropped silently
				life.taken |= life.given && !life.held && life.statuses.contains(Status.HELD);
			}
			boolean isOpen = life.run && !life.isClosed();
			if (isOpen) {
				open++;
				life.lingersSince = since(life.lingersSince, life.handlerEnded && !life.stalled);
				life.quietSince = since(life.quietSince,
						this.drainingSince != null && life.messagesSent == 0 && life.connectionEvents > 0);
				life.stalledSince = since(life.stalledSince, life.stalled && !life.broken && life.isWriting());
				checkOpen(life);
			}
			else if (life.run) {
				checkClosed(life);
				life.settled = !life.handlerWorks();
			}
			verify(!life.given || life.slot < 0 || life.held || life.taken, "the answer to " + life + " is lost");
			verify(life.connectionEvents == (life.channel.written().isEmpty() ? 0 : 1),
					life + " has had " + life.connectionEvents + " ConnectionEvents");
			verify(!life.mustBeHandled || life.handled, "the handler was not called for " + life);
			if (life.pending && now() - life.acceptedAt >= SLOT_TIMEOUT) {
				stillOverdue++;
			}
		}
		verify(this.accepted == this.refused + this.freed + open, "counted: " + counts() + ", but " + open + " open");
		verify(this.linesWritten == this.lives.stream().filter((life) -> life.connectionEvents > 0).count(),
				"lines written: " + this.linesWritten);
		int counted = this.overdue - this.overdueAnswered;
		verify(counted <= stillOverdue && (counted == stillOverdue || timersLost),
				"counted " + counted + " overdue answers of " + stillOverdue);
		verify(this.listenersFailed == this.listenerFaults,
				"counted " + this.listenersFailed + " listeners that failed of " + this.listenerFaults);
		this.faults.forEach((error, fault) -> verify(fault.refuses || fault.reported > 0,
				error + " of " + fault.life + " is not reported"));
		throwViolation();
	}

	private Long since(Long since, boolean still) {
		return (!still) ? null : (since != null) ? since : Long.valueOf(now());
	}

	private boolean isOver(Long since, long time) {
		return since != null && now() - since >= time;
	}

	private void checkOpen(Life life) {
		verify(life.admitted, life + " is over the limit, but open");
		verify(life.requested, life + " was not asked for a slot");
		verify(!life.refused && !life.taken && !life.timedOut, life + " is refused, but open");
		verify(life.held || life.pending, life + " has no slot, and waits for none");
		verify(!life.pending || now() - life.acceptedAt < SLOT_TIMEOUT, life + " is not timed out");
		verify(!life.held || !life.channel.written().isEmpty() || life.stalled, life + " has no slot line");
		verify(!life.closedByApplication, life + " is not closed by its application");
		verify(!isOver(life.lingersSince, LINGER), life + " is not closed after its handler has completed");
		verify(!isOver(life.quietSince, 2 * QUIET_PERIOD) || life.stalled || life.handled || life.inbound,
				life + " is not drained");
		// Codecs that another thread may still add would miss what is read before it is
		// requested
		boolean demanded = (this.setup.threads() == Threads.LOOPS) ? life.demandsAll()
				: isOver(life.demandsAllSince, 2 * QUIET_PERIOD);
		verify(!isOver(life.quietSince, 2 * QUIET_PERIOD) || !demanded || life.inboundEnds == 1,
				"what the peer of " + life + " sends is not ended while draining");
		verify(!this.setup.writeTimeout() || !isOver(life.stalledSince, 2 * WRITE_TIMEOUT),
				life + " writes for too long");
		verify(!life.handlerFailed, life + " is not closed although its handler failed");
		verify(!this.setup.idleTimeout() || life.handlerEnded
				|| now() - lastActivity(life) < IDLE_TIMEOUT + SECOND_LOOK, life + " is idle for too long");
		boolean discards = life.connectionEvents > 0 && !this.setup.handler() && !life.inbound;
		boolean noticed = discards || life.bytesSent - life.bytesReceived + 160 * life.messagesSent < READ_AHEAD;
		verify(!life.peerGone || !noticed, "it is not noticed that the peer of " + life + " is gone");
	}

	/**
	 * Return when a connection was last active: the flush that begins a drain counts.
	 */
	private long lastActivity(Life life) {
		long lastActivity = life.channel.lastActivity();
		return (this.drainingSince != null) ? Math.max(lastActivity, this.drainingSince) : lastActivity;
	}

	private void checkClosed(Life life) {
		verify(!life.held || life.freed, life + " is closed, but its slot is not freed");
		boolean mayComplete = life.inbound && life.reason != null && life.reason.isOfPeer();
		verify(!life.handlerWorks() || mayComplete, "the publisher of the handler of " + life + " is not cancelled");
		verify(!life.handlerWorks() || life.inboundEnds == 0
				|| now() - Math.max(life.inboundEndedAt, life.closedAt) < COMPLETION_TIMEOUT,
				"the handler of " + life + " works on for too long");
		boolean endedOtherwise = life.peerGone || life.broken || life.closedByApplication
				|| life.possibleReasons.contains(EndReason.SERVER_STOPPED);
		if (life.admitted && !endedOtherwise && (life.refused || life.taken || life.timedOut)) {
			verify(life.refusalErrors == (life.noSlot && !life.timedOut ? 0 : 1),
					"errors that tell why " + life + " is refused: " + life.refusalErrors);
		}
		if (life.admitted && !endedOtherwise && !life.refused && !life.taken && !life.timedOut && !life.held) {
			boolean idle = this.setup.idleTimeout() && now() - life.acceptedAt >= IDLE_TIMEOUT;
			verify(idle, life + " is closed without a cause");
		}
		if (life.inbound && life.demandsAll()) {
			verify(life.inboundEnds == 1, "the inbound of " + life + " has ended " + life.inboundEnds + " times");
			verify(life.bytesReceived == life.bytesSent
					|| life.possibleReasons.stream().anyMatch((reason) -> reason != EndReason.PEER_CLOSED)
					|| life.closedByApplication || this.setup.idleTimeout() || this.setup.writeTimeout(),
					"bytes of the peer of " + life + " are lost");
		}
	}

	// Counts

	@Override
	public void accepted() {
		this.accepted++;
	}

	@Override
	public void refused(RefusalReason reason) {
		this.refused++;
		reached(Situation.REFUSED);
		this.refusals.merge(reason, 1, Integer::sum);
	}

	@Override
	public void slotAssigned() {
		this.assigned++;
	}

	@Override
	public void slotRequestOverdue() {
		this.overdue++;
	}

	@Override
	public void overdueSlotRequestAnswered() {
		this.overdueAnswered++;
	}

	@Override
	public void slotLineWritten(Duration sinceAccepted) {
		this.linesWritten++;
	}

	@Override
	public void slotFreed(Duration sinceAccepted, EndReason reason) {
		this.freed++;
	}

	@Override
	public void listenerFailed() {
		this.listenersFailed++;
	}

	int refusedAtAccept() {
		return this.refusals.getOrDefault(RefusalReason.MAX_CONNECTIONS, 0)
				+ this.refusals.getOrDefault(RefusalReason.MAX_CONNECTIONS_PER_ADDRESS, 0);
	}

	private String counts() {
		return this.accepted + " accepted, " + this.refused + " refused " + this.refusals + ", " + this.assigned
				+ " assigned, " + this.freed + " freed, " + this.overdue + " overdue, " + this.overdueAnswered
				+ " of those answered";
	}

	/**
	 * Return the connection with an id.
	 */
	Life life(String id) {
		return this.livesById.get(id);
	}

	int lowestFreeSlot() {
		int slot = 0;
		while (this.allocatorSlots.contains(slot)) {
			slot++;
		}
		return slot;
	}

	private int count(Life except, Predicate<Life> predicate) {
		return (int) this.lives.stream().filter((life) -> life != except && predicate.test(life)).count();
	}

	/**
	 * Record a situation that not every sequence leads to.
	 */
	void reached(Situation situation) {
		this.situations.merge(situation, 1, Integer::sum);
	}

	Map<Situation, Integer> situations() {
		return this.situations;
	}

	private long now() {
		return this.clock.getAsLong();
	}

	/**
	 * Remember the first broken promise. User code cannot simply throw, because the
	 * server would handle the exception.
	 */
	void verify(boolean kept, Object message) {
		if (!kept && this.violation == null) {
			this.violation = new AssertionError(message.toString());
		}
	}

	/**
	 * Situations that many sequences must lead to, because they would prove little
	 * otherwise.
	 */
	enum Situation {

		CONNECTED, REFUSED, ANSWER_AWAITED, LATE_ANSWER_FREED, WAITED_FOR_SLOT, CLOSED_IN_LISTENER, LISTENER_FAILED,
		STOPPED_WITH_CONNECTIONS, RESTARTED, COMPLETED_WITHOUT_PEER, COMPLETION_TIMED_OUT

	}

	private enum Status {

		FREE, FREEING, HELD

	}

	private static final class Fault {

		private final Life life;

		private final boolean refuses;

		private int reported;

		Fault(Life life, boolean refuses) {
			this.life = life;
			this.refuses = refuses;
		}

	}

	/**
	 * A connection as the model knows it.
	 */
	static final class Life {

		final int number;

		final SimulatedChannel channel;

		final SimulatedLoop loop;

		final int address;

		final Set<EndReason> possibleReasons = EnumSet.noneOf(EndReason.class);

		final ByteArrayOutputStream appWritten = new ByteArrayOutputStream();

		private final Set<Status> statuses = EnumSet.noneOf(Status.class);

		String id = "?";

		/** How often the server had stopped before. */
		int runs;

		long acceptedAt;

		int slot = -1;

		/** Whether the server has handled the channel. */
		boolean run;

		boolean admitted;

		/** Whether nothing is left of it. */
		boolean settled;

		boolean requested;

		boolean mayAllocate;

		boolean given;

		boolean allocated;

		boolean held;

		boolean taken;

		boolean refused;

		boolean noSlot;

		boolean timedOut;

		boolean late;

		/** Whether an asynchronous answer is awaited. */
		boolean pending;

		boolean freed;

		boolean released;

		/** Whether its slot has had another holder since. */
		boolean succeeded;

		CallosumServerEvent publishing;

		int connectionEvents;

		int freeEvents;

		int refusalErrors;

		int chunksChecked;

		boolean mustBeHandled;

		boolean mustNotBeHandled;

		boolean handled;

		boolean handlerReturnedNull;

		boolean handlerFailed;

		boolean handlerEnded;

		boolean handlerCancelled;

		/** Why it ended, {@code null} before. */
		EndReason reason;

		long closedAt;

		long inboundEndedAt;

		/** Since when, at the latest, each of these holds, as far as observed. */
		Long lingersSince;

		Long quietSince;

		Long stalledSince;

		boolean closedByApplication;

		boolean peerGone;

		boolean broken;

		private boolean stalled;

		int bytesSent;

		int messagesSent;

		int bytesReceived;

		boolean inbound;

		Long demandsAllSince;

		int inboundEnds;

		Life(int number, SimulatedChannel channel, SimulatedLoop loop, int address) {
			this.number = number;
			this.channel = channel;
			this.loop = loop;
			this.address = address;
		}

		boolean demandsAll() {
			return this.demandsAllSince != null;
		}

		/**
		 * Return whether something that was written has not been sent yet.
		 */
		private boolean isWriting() {
			return this.held && this.channel.bytes().length < this.appWritten.size() + (this.slot + "\r\n").length();
		}

		/**
		 * Return whether the handler was called and has not ended.
		 */
		boolean handlerWorks() {
			return this.handled && !this.handlerEnded && !this.handlerCancelled;
		}

		boolean isClosed() {
			return !this.channel.isOpen();
		}

		private boolean countsSurely() {
			return this.admitted
					&& (this.channel.isOpen() || handlerWorks() || (!this.channel.written().isEmpty() && !this.freed));
		}

		@Override
		public String toString() {
			return "connection " + this.number + " (" + this.id + ", slot " + this.slot + ")";
		}

	}

}
