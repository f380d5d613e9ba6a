import { colorize } from './colors.js';

/**
 * The clients, each a button that lights up its connections while it is pointed at or has the focus, and also after
 * that once it has been pressed.
 */
export class Clients {
  /** The client whose connections are lit up, or null. */
  lit = null;
  #pointed = null;
  #focused = null;
  #pinned = null;
  #list;
  #lightUp;
  #buttons = new Map();

  /**
   * @param list where to show them
   * @param remove removes a client
   * @param lightUp lights up the connections of a client, or none for null
   */
  constructor(list, remove, lightUp) {
    this.#list = list;
    this.#lightUp = lightUp;
    const client = ({ target }) => Number(target.closest('button')?.dataset.client) || null;
    list.addEventListener('pointerover', (event) => this.point(client(event)));
    list.addEventListener('pointerleave', () => this.point(null));
    list.addEventListener('focusin', (event) => this.#focusOn(client(event)));
    list.addEventListener('focusout', () => this.#focusOn(null));
    list.addEventListener('click', (event) => this.#press(client(event)));
    list.addEventListener('keydown', (event) => {
      if (event.key === 'Delete' && client(event)) {
        remove(client(event));
        this.#leave(event.target);
      } else {
        this.#moveFocus(event);
      }
    });
  }

  /** Lights up the client that the pointer is at. Without one, that is null, the client with the focus or a pinned one. */
  point(client) {
    this.#pointed = client;
    this.#update();
  }

  /** Returns the pinned client, which is not pinned any more, or null. */
  unpin() {
    const client = this.#pinned;
    this.#press(client);
    return client;
  }

  #focusOn(client) {
    this.#focused = client;
    this.#update();
  }

  #update() {
    const lit = this.#pointed ?? this.#focused ?? this.#pinned;
    if (lit !== this.lit) {
      this.lit = lit;
      this.#buttons.forEach((button, id) => button.classList.toggle('lit', id === lit));
      this.#lightUp(lit);
    }
  }

  show(ids) {
    for (const [id, button] of this.#buttons) {
      if (!ids.includes(id)) {
        this.#remove(id, button);
      }
    }
    ids.filter((id) => !this.#buttons.has(id)).forEach((id) => this.#add(id));
    if (this.#buttons.size > 0 && !this.#list.querySelector('[tabindex="0"]')) {
      this.#list.querySelector('button').tabIndex = 0;
    }
  }

  #add(id) {
    const item = document.createElement('li');
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = button.dataset.client = id;
    button.tabIndex = -1;
    button.setAttribute('aria-label', `Client ${id}`);
    button.setAttribute('aria-pressed', false);
    colorize(button, id);
    item.append(button);
    const next = [...this.#buttons.keys()].filter((other) => other > id).sort((a, b) => a - b)[0];
    this.#list.insertBefore(item, this.#buttons.get(next)?.parentElement ?? null);
    this.#buttons.set(id, button);
  }

  #remove(id, button) {
    this.#leave(button);
    button.parentElement.remove();
    this.#buttons.delete(id);
    if (this.#pinned === id) {
      this.#press(id);
    }
    if (this.#pointed === id) {
      this.point(null);
    }
  }

  /** Moves the focus to a neighbour, since keyboard navigation would otherwise restart at the top of the page. */
  #leave(button) {
    const neighbour = button.parentElement.nextElementSibling ?? button.parentElement.previousElementSibling;
    if (document.activeElement === button && neighbour) {
      this.#focus(neighbour.firstChild);
    }
  }

  /** Pins a client, or unpins it if it is pinned. */
  #press(client) {
    if (client) {
      this.#buttons.get(this.#pinned)?.setAttribute('aria-pressed', false);
      this.#pinned = (this.#pinned === client) ? null : client;
      this.#buttons.get(this.#pinned)?.setAttribute('aria-pressed', true);
      this.#update();
    }
  }

  #moveFocus(event) {
    const item = event.target.closest('li');
    const to = { ArrowLeft: item?.previousElementSibling, ArrowRight: item?.nextElementSibling,
      Home: this.#list.firstChild, End: this.#list.lastChild }[event.key];
    if (to) {
      event.preventDefault();
      this.#focus(to.firstChild);
    }
  }

  /** Only one of them is a stop of the tab key. */
  #focus(button) {
    this.#buttons.forEach((other) => other.tabIndex = -1);
    button.tabIndex = 0;
    button.focus();
  }
}
