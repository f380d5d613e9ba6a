/**
 * The last events, newest first.
 */
export class Feed {
  static MAX = 50;
  #list;
  #describe;
  #lit = null;

  /**
   * @param list where to show them
   * @param describe returns the text of an event
   */
  constructor(list, describe) {
    this.#list = list;
    this.#describe = describe;
  }

  clear() {
    this.#list.replaceChildren();
  }

  add(events) {
    this.#list.prepend(...events.slice(-Feed.MAX).map((event) => this.#createItem(event)).reverse());
    while (this.#list.children.length > Feed.MAX) {
      this.#list.lastChild.remove();
    }
  }

  /** Lights up the events of a client, or nothing for null. */
  lightUp(client) {
    this.#lit = client;
    [...this.#list.children].forEach((item) => this.#lightUpItem(item));
  }

  #lightUpItem(item) {
    item.classList.toggle('mine', item.clients.includes(this.#lit));
  }

  #createItem(event) {
    const item = document.createElement('li');
    item.dataset.type = event.type;
    item.clients = event.clients ?? [];
    this.#lightUpItem(item);
    const time = document.createElement('time');
    time.dateTime = new Date(event.at).toISOString();
    time.textContent = new Date(event.at).toLocaleTimeString('en-GB');
    const type = document.createElement('b');
    type.textContent = event.type;
    const text = document.createElement('span');
    text.textContent = this.#describe(event);
    item.append(time, type, text);
    return item;
  }
}
