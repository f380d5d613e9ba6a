import { colorize } from './colors.js';

const WEIGHTS = [0.5, 1, 2, 3, 4];
const WEIGHT_DELAY_MS = 800;

/**
 * A bar for each server, with a cell for each slot.
 */
export class Servers {
  #list;
  #perform;
  #rows = new Map();

  /**
   * @param list where to show them
   * @param perform does something with the fleet
   * @param point is called with the client that the pointer is at, or null
   */
  constructor(list, perform, point) {
    this.#list = list;
    this.#perform = perform;
    const client = ({ target }) => Number(target.closest('[data-client]')?.dataset.client) || null;
    list.addEventListener('pointerover', (event) => point(client(event)));
    list.addEventListener('pointerleave', () => point(null));
  }

  /** Removes the servers that are gone. */
  retain(names) {
    for (const [name, row] of this.#rows) {
      if (!names.includes(name)) {
        row.item.remove();
        this.#rows.delete(name);
      }
    }
  }

  apply(servers) {
    for (const server of servers) {
      if (!this.#rows.has(server.name)) {
        const row = new Row(server, this.#perform);
        this.#rows.set(server.name, row);
        this.#list.append(row.item);
      }
      this.#rows.get(server.name).show(server);
    }
  }

  all() {
    return [...this.#rows.values()].map(({ server }) => server);
  }

  /** Lights up the connections of a client, or nothing for null. */
  lightUp(client) {
    this.#rows.forEach((row) => row.lightUp(client));
  }
}

class Row {
  #cells = [];
  #lit = null;

  constructor(server, perform) {
    const { name } = server;
    this.item = create('li', 'server');
    this.item.dataset.server = name;
    const title = create('h3', 'name', name);
    this.state = create('span', 'state');
    this.connections = create('span', 'connections');
    this.rate = create('span', 'rate');
    this.port = create('span', 'port');
    this.bar = create('div', 'bar');
    this.bar.setAttribute('role', 'img');
    const head = create('div', 'head');
    const controls = create('div', 'buttons');
    this.power = button(() => perform('POST', `servers/${name}/${this.power.dataset.action}`));
    this.kill = button(() => perform('POST', `servers/${name}/kill`));
    this.freeze = button(() => perform('POST', `servers/${name}/${this.freeze.dataset.action}`));
    this.weight = document.createElement('select');
    this.weight.setAttribute('aria-label', `Weight of ${name}`);
    this.weight.append(...WEIGHTS.map(option));
    // An arrow key changes the weight at once, and the server restarts for each weight that it is given
    this.weight.addEventListener('change', () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => perform('PUT', `servers/${name}/weight/${this.weight.value}`), WEIGHT_DELAY_MS);
    });
    const label = create('label', 'weight', 'Weight ');
    label.append(this.weight);
    nameAction(this.kill, 'kill', name);
    controls.append(label, this.power, this.freeze, this.kill);
    head.append(title, this.state, this.connections, this.rate, this.port, controls);
    this.item.append(head, this.bar);
  }

  show(server) {
    server.connections = server.slots.filter((client) => client > 0).length;
    this.server = server;
    const running = server.state !== 'stopped';
    this.item.dataset.state = server.state;
    setText(this.state, server.state);
    setText(this.connections, `${server.connections} ${(server.connections === 1) ? 'connection' : 'connections'}`);
    setText(this.rate, `${server.rate} ${(server.rate === 1) ? 'request' : 'requests'}/s`);
    setText(this.port, `:${server.port}`);
    nameAction(this.power, running ? 'stop' : 'start', server.name);
    nameAction(this.freeze, (server.state === 'frozen') ? 'unfreeze' : 'freeze', server.name);
    // A disabled button would lose the focus
    [this.kill, this.freeze].forEach((button) => button.setAttribute('aria-disabled', !running));
    this.#showWeight(server.weight);
    this.bar.setAttribute('aria-label', `Slots of ${server.name}: ${server.connections} in use`);
    this.#showSlots(server.slots);
  }

  lightUp(client) {
    this.#lit = client;
    this.bar.classList.toggle('lit', client !== null);
    this.#cells.forEach((cell) => cell.classList.toggle('mine', Number(cell.dataset.client) === client));
  }

  #showWeight(weight) {
    if (document.activeElement === this.weight) {
      return;
    }
    if (![...this.weight.options].some(({ value }) => Number(value) === weight)) {
      this.weight.append(option(weight));
    }
    this.weight.value = weight;
  }

  /** Replaces only the cells that have changed, so that only those are animated. */
  #showSlots(slots) {
    slots.forEach((client, slot) => {
      const cell = this.#cells[slot];
      if (Number(cell?.dataset.client ?? -1) !== client) {
        const created = createCell(client);
        created.classList.toggle('mine', client === this.#lit);
        this.#cells[slot] = created;
        if (cell) {
          cell.replaceWith(created);
        } else {
          this.bar.append(created);
        }
      }
    });
    this.#cells.splice(slots.length).forEach((cell) => cell.remove());
  }
}

function createCell(client) {
  const cell = create('i', client ? 'held' : 'free');
  cell.dataset.client = client;
  if (client) {
    cell.textContent = client;
    colorize(cell, client);
  }
  return cell;
}

function button(click) {
  const created = create('button', '');
  created.type = 'button';
  created.addEventListener('click', () => {
    if (created.getAttribute('aria-disabled') !== 'true') {
      click();
    }
  });
  return created;
}

function nameAction(button, action, server) {
  if (button.dataset.action !== action) {
    button.dataset.action = action;
    button.textContent = action[0].toUpperCase() + action.slice(1);
    button.setAttribute('aria-label', `${button.textContent} ${server}`);
  }
}

function option(weight) {
  const created = document.createElement('option');
  created.value = created.textContent = weight;
  return created;
}

function create(tag, className, text = '') {
  const created = document.createElement(tag);
  created.className = className;
  created.textContent = text;
  return created;
}

function setText(element, text) {
  if (element.textContent !== text) {
    element.textContent = text;
  }
}
