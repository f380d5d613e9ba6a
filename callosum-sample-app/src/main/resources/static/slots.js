const MIN_TILES = 12;
const DENSE_FROM = 100;
const KEEP_FREE_MS = 5000;

/**
 * The grid of slots, with one tile per slot that is created once and then filled and emptied.
 */
export class Slots {
  #list;
  #tiles = [];

  constructor(list, closeConnection) {
    this.#list = list;
    list.addEventListener('click', ({ target }) => {
      const button = target.closest('button');
      if (button) {
        closeConnection(button.dataset.id);
      }
    });
    list.addEventListener('keydown', (event) => this.#moveFocus(event));
    this.#grow(MIN_TILES);
  }

  /** Frees the slots that are not in a snapshot. */
  retain(snapshot) {
    this.#tiles.filter((tile) => !snapshot.has(tile.slot)).forEach((tile) => tile.free(0));
  }

  /** Applies changes: the connection of each slot, or null. */
  apply(changes, now) {
    for (const [slot, connection] of changes) {
      if (connection) {
        this.#grow(slot + 1);
        this.#tiles[slot].hold(connection, now);
      } else {
        this.#tiles[slot]?.free(now);
      }
    }
  }

  /** Updates the ages, and removes tiles at the end that have been free for a while. */
  tick(now) {
    this.#tiles.forEach((tile) => tile.showAge(now));
    while (this.#tiles.length > MIN_TILES && this.#tiles.at(-1).isFreeSince(now - KEEP_FREE_MS)) {
      this.#tiles.pop().item.remove();
    }
    this.#list.classList.toggle('dense', this.#tiles.length >= DENSE_FROM);
  }

  #grow(count) {
    while (this.#tiles.length < count) {
      const tile = new Tile(this.#tiles.length);
      this.#tiles.push(tile);
      this.#list.append(tile.item);
    }
    this.#list.classList.toggle('dense', this.#tiles.length >= DENSE_FROM);
  }

  /** Moves the focus to the next connection in the direction of an arrow key. */
  #moveFocus(event) {
    const columns = getComputedStyle(this.#list).gridTemplateColumns.split(' ').length;
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
    const from = this.#tiles.findIndex((tile) => tile.item.contains(event.target));
    if (step && from >= 0) {
      event.preventDefault();
      let to = from + step;
      while (this.#tiles[to] && !this.#tiles[to].held) {
        to += step;
      }
      this.#tiles[to]?.button.focus();
    }
  }
}

class Tile {
  held = false;
  #connectedAt = 0;
  #changedAt = 0;

  constructor(slot) {
    this.slot = slot;
    this.item = document.createElement('li');
    this.item.tabIndex = -1;
    this.item.className = 'free';
    [this.host, this.port, this.age] = ['host', 'port', 'age'].map((name) => span(name, ''));
    this.button = document.createElement('button');
    this.button.type = 'button';
    this.button.hidden = true;
    this.button.textContent = '×';
    this.button.setAttribute('aria-label', `Close connection in slot ${slot}`);
    const peer = span('peer', '');
    peer.append(this.host, this.port);
    this.item.append(span('slot', slot), this.age, peer, this.button);
    this.age.textContent = 'free';
  }

  hold({ id, peer, connectedAt }, now) {
    const colon = peer.lastIndexOf(':');
    this.held = true;
    this.#connectedAt = connectedAt;
    this.host.textContent = peer.slice(0, colon);
    this.port.textContent = peer.slice(colon);
    this.item.title = peer;
    this.item.className = 'held';
    this.button.dataset.id = id;
    this.button.hidden = false;
    this.showAge(now);
  }

  free(now) {
    if (!this.held) {
      return;
    }
    // Otherwise keyboard navigation would restart at the top of the page
    if (document.activeElement === this.button) {
      this.item.focus();
    }
    this.held = false;
    this.#changedAt = now;
    this.host.textContent = this.port.textContent = this.item.title = '';
    this.item.className = 'free';
    this.button.hidden = true;
    delete this.button.dataset.id;
    this.age.textContent = 'free';
  }

  isFreeSince(time) {
    return !this.held && this.#changedAt <= time && document.activeElement !== this.item;
  }

  showAge(now) {
    if (this.held) {
      const text = duration(now - this.#connectedAt);
      if (this.age.textContent !== text) {
        this.age.textContent = text;
      }
    }
  }
}

function duration(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 60) {
    return `${seconds}s`;
  }
  if (seconds < 3600) {
    return `${Math.floor(seconds / 60)}m`;
  }
  return (seconds < 86400) ? `${Math.floor(seconds / 3600)}h` : `${Math.floor(seconds / 86400)}d`;
}

function span(name, text) {
  const element = document.createElement('span');
  element.className = name;
  element.textContent = text;
  return element;
}
