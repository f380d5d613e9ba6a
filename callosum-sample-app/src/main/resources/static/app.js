import { follow } from './stream.js';
import { Feed } from './feed.js';
import { inFrames } from './frames.js';
import { Plot } from './plot.js';
import { Slots } from './slots.js';

const TEXTS = {
  request: ({ peer }) => `from ${peer}`,
  connected: ({ slot, peer }) => `slot ${slot} to ${peer}`,
  free: ({ slot, text }) => `slot ${slot}, ${text}`,
  refused: ({ text }) => text,
  error: ({ text }) => text,
};

const element = (id) => document.getElementById(id);

const slots = new Slots(element('slots'), closeConnection);
const plot = new Plot(element('plot'), element('plot-text'), {
  read: ({ highest }) => highest,
  base: -1,
  top: 9,
  format: (highest) => (highest < 0) ? 'none' : highest,
});
const feed = new Feed(element('feed'), (event) => TEXTS[event.type](event));

let clockOffset = 0;

const serverNow = () => performance.now() + clockOffset;

const drawUpdate = inFrames({
  begin: () => ({ changes: new Map(), events: [], highest: [] }),
  add(pending, update) {
    update.held.forEach((held) => pending.changes.set(held.slot, held));
    update.freed.forEach((freed) => pending.changes.set(freed.slot, null));
    pending.events = pending.events.concat(update.events).slice(-Feed.MAX);
    pending.highest = pending.highest.concat(update.highest).slice(-Plot.MAX);
    pending.totals = update.totals;
    pending.address = update.address;
    pending.fleet = update.fleet;
  },
  draw,
});

follow('events', {
  update(update) {
    clockOffset = update.now - performance.now();
    drawUpdate(update);
  },
  state(state) {
    element('stream').dataset.state = state;
    element('stream').textContent = state;
  },
});

function draw({ snapshot, changes, events, highest, totals, address, fleet }) {
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
  element('fleet-link').hidden = !fleet;
}

function showTotals(totals, address) {
  for (const [name, value] of Object.entries(totals)) {
    document.querySelector(`[data-total=${name}]`).textContent = value < 0 ? 'none' : value.toLocaleString('en');
  }
  element('address').textContent = address;
  element('hint').hidden = totals.connections > 0;
  element('hint').querySelector('code').textContent = `nc localhost ${address.split(':').pop()}`;
}

async function closeConnection(id) {
  try {
    await fetch(`connections/${id}`, { method: 'DELETE' });
  } catch {
    announce('The connection could not be closed.');
  }
}

function announce(text) {
  if (element('spoken').textContent !== text) {
    element('spoken').textContent = text;
  }
}

setInterval(() => {
  slots.tick(serverNow());
  plot.draw(serverNow());
}, 1000);

// For screen readers: often enough to follow, rarely enough to listen to
setInterval(() => {
  const total = (name) => document.querySelector(`[data-total=${name}]`).textContent;
  announce(`${total('connections')} connections, highest slot ${total('highest')}`);
}, 10000);
