import { follow } from './stream.js';
import { Clients } from './clients.js';
import { Feed } from './feed.js';
import { inFrames } from './frames.js';
import { Plot } from './plot.js';
import { Servers } from './servers.js';
import { fillTable } from './table.js';

const element = (id) => document.getElementById(id);

const plots = [
  new Plot(element('ratio'), element('ratio-text'), {
    read: ({ ratio }) => ratio, base: 1, top: 1.5, format: (ratio) => ratio.toFixed(2),
  }),
  new Plot(element('spread'), element('spread-text'), {
    read: ({ spread }) => spread, base: 0, top: 4, format: (spread) => spread,
  }),
];
const feed = new Feed(element('feed'), describe);
const servers = new Servers(element('servers'), perform, (client) => clients.point(client));
const clients = new Clients(element('clients'), remove, lightUp);

let clockOffset = 0;
let settings = null;
let balance = null;

const serverNow = () => performance.now() + clockOffset;

const drawUpdate = inFrames({
  begin: () => ({ servers: new Map(), events: [], samples: [] }),
  add(pending, update) {
    update.servers.forEach((server) => pending.servers.set(server.name, server));
    pending.events = pending.events.concat(update.events).slice(-Feed.MAX);
    pending.samples = pending.samples.concat(update.samples).slice(-Plot.MAX);
    pending.names = update.names;
    pending.settings = update.settings;
  },
  draw,
});

follow('fleet/stream', {
  update(update) {
    clockOffset = update.now - performance.now();
    drawUpdate(update);
  },
  state(state) {
    element('stream').dataset.state = state;
    element('stream').textContent = state;
  },
});

function draw(changes) {
  if (changes.snapshot) {
    plots.forEach((plot) => plot.clear());
    feed.clear();
  }
  settings = changes.settings;
  balance = changes.samples.at(-1) ?? balance;
  servers.retain(changes.names);
  servers.apply([...changes.servers.values()]);
  clients.show(settings.clients);
  plots.forEach((plot) => plot.add(changes.samples));
  plots.forEach((plot) => plot.draw(serverNow()));
  feed.add(changes.events);
  showTotals();
  showTable();
}

function showTotals() {
  const all = servers.all();
  const totals = {
    connections: sum(all.map(({ connections }) => connections)),
    ratio: balance?.ratio.toFixed(2),
    spread: balance?.spread,
    rate: sum(all.map(({ rate }) => rate)),
    failed: settings.failed,
  };
  for (const [name, value] of Object.entries(totals)) {
    setText(document.querySelector(`[data-total=${name}]`), value?.toLocaleString('en') ?? '–');
  }
  setText(element('client-count'), settings.clients.length);
  setText(element('pool-size'), settings.poolSize);
  // A disabled button would lose the focus
  document.querySelector('[data-do="POST rolling-restart"]').setAttribute('aria-disabled', settings.rolling);
}

function showTable() {
  if (element('details').open && settings) {
    fillTable(element('details').querySelector('table'), settings.clients, servers.all(), clients.lit);
  }
}

function lightUp(client) {
  servers.lightUp(client);
  feed.lightUp(client);
  showTable();
}

element('details').addEventListener('toggle', showTable);

function describe({ type, server, clients, count, text }) {
  const who = (clients.length === 1) ? `client ${clients[0]}` : `${clients.length} clients`;
  switch (type) {
    case 'action':
      return server ? `${text} ${server}` : text;
    case 'ejected':
    case 'restored':
    case 'unreachable':
      return `${server}, ${who}`;
    default:
      if (!server) {
        return (count === 1) ? who : `${count} times, ${who}`;
      }
      return (count === 1) ? `${server}, ${who}` : `${server} × ${count}, ${who}`;
  }
}

/** Does something with the fleet, and says why if it is refused. */
async function perform(method, path) {
  setText(element('said'), '');
  try {
    const response = await fetch(`fleet/${path}`, { method });
    if (!response.ok) {
      setText(element('said'), (await response.text()).trim());
    }
  } catch {
    setText(element('said'), 'The sample is not reachable.');
  }
}

function remove(client) {
  if (client) {
    perform('DELETE', `clients/${client}`);
  }
}

element('controls').addEventListener('click', ({ target }) => {
  const button = target.closest('[data-do]:not([aria-disabled=true])');
  if (button) {
    perform(...button.dataset.do.split(' '));
  }
});
element('remove-client').addEventListener('click', () => {
  const client = clients.unpin();
  perform('DELETE', client ? `clients/${client}` : 'clients');
});
document.addEventListener('keydown', ({ key }) => {
  if (key === 'Escape') {
    clients.unpin();
  }
});

setInterval(() => plots.forEach((plot) => plot.draw(serverNow())), 1000);

// For screen readers: often enough to follow, rarely enough to listen to
setInterval(() => {
  setText(element('spoken'), servers.all().map(({ name, state, connections }) =>
    (state === 'running') ? `${name} has ${connections} connections` : `${name} is ${state}`).join(', '));
}, 10000);

function setText(element, text) {
  if (element.textContent !== String(text)) {
    element.textContent = text;
  }
}

function sum(numbers) {
  return numbers.reduce((sum, number) => sum + number, 0);
}
