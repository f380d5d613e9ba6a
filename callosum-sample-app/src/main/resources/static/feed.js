const TEXTS = {
  request: ({ peer }) => `from ${peer}`,
  connected: ({ slot, peer }) => `slot ${slot} to ${peer}`,
  free: ({ slot, text }) => `slot ${slot}, ${text}`,
  refused: ({ text }) => text,
  error: ({ text }) => text,
};

/**
 * The last events, the newest first.
 */
export class Feed {
  static MAX = 50;
  #list;

  constructor(list) {
    this.#list = list;
  }

  clear() {
    this.#list.replaceChildren();
  }

  add(events) {
    this.#list.prepend(...events.map(createItem).reverse());
    while (this.#list.children.length > Feed.MAX) {
      this.#list.lastChild.remove();
    }
  }
}

function createItem(event) {
  const item = document.createElement('li');
  item.dataset.type = event.type;
  const time = document.createElement('time');
  time.dateTime = new Date(event.at).toISOString();
  time.textContent = new Date(event.at).toLocaleTimeString('en-GB');
  const type = document.createElement('b');
  type.textContent = event.type;
  const text = document.createElement('span');
  text.textContent = TEXTS[event.type](event);
  item.append(time, type, text);
  return item;
}
