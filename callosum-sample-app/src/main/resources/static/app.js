import { follow } from './stream.js';
import { Feed } from './feed.js';
import { Plot } from './plot.js';
import { Slots } from './slots.js';

const element = (id) => document.getElementById(id);

const slots = new Slots(element('slots'), pushOff);
const plot = new Plot(element('plot'), element('plot-text'));
const feed = new Feed(element('feed'));

// What the frame that comes next has to draw; how much comes in between makes no difference
let pending = null;
let clockOffset = 0;

const serverNow = () => performance.now() + clockOffset;

follow('events', {
  update(update) {
    clockOffset = update.now - performance.now();
    if (pending === null) {
      requestAnimationFrame(draw);
    }
    if (pending === null || update.since < 0) {
      pending = { snapshot: update.since < 0, changes: new Map(), events: [], highest: [] };
    }
    update.held.forEach((held) => pending.changes.set(held.slot, held));
    update.freed.forEach((freed) => pending.changes.set(freed.slot, null));
    pending.events = pending.events.concat(update.events).slice(-Feed.MAX);
    pending.highest = pending.highest.concat(update.highest).slice(-Plot.MAX);
    pending.totals = update.totals;
    pending.address = update.address;
  },
  state(state) {
    element('stream').dataset.state = state;
    element('stream').textContent = state;
  },
});

function draw() {
  const { snapshot, changes, events, highest, totals, address } = pending;
  pending = null;
  if (snapshot) {
    slots.retain(changes);
    plot.clear();
    feed.clear();
  }
  slots.apply(changes, serverNow());
  plot.add(highest);
  plot.draw(serverNow());
  feed.add(events);
  showTotals(totals, address);
}

function showTotals(totals, address) {
  for (const [name, value] of Object.entries(totals)) {
    document.querySelector(`[data-total=${name}]`).textContent = value < 0 ? 'none' : value.toLocaleString('en');
  }
  element('address').textContent = address;
  element('hint').hidden = totals.connections > 0;
  element('hint').querySelector('code').textContent = `nc localhost ${address.split(':').pop()}`;
}

async function pushOff(id) {
  try {
    await fetch(`connections/${id}`, { method: 'DELETE' });
  } catch {
    say('The connection could not be closed.');
  }
}

function say(text) {
  if (element('spoken').textContent !== text) {
    element('spoken').textContent = text;
  }
}

setInterval(() => {
  slots.tick(serverNow());
  plot.draw(serverNow());
}, 1000);

// Often enough to follow, seldom enough to listen to
setInterval(() => {
  const total = (name) => document.querySelector(`[data-total=${name}]`).textContent;
  say(`${total('connections')} connections, highest slot ${total('highest')}`);
}, 10000);
