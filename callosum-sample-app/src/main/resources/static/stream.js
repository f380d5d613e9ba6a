/**
 * Follows the server's updates: a snapshot first, and then changes, each building on the one before. Whatever goes
 * wrong, the stream is opened again, and starts with a snapshot.
 */
export function follow(url, { update, state }) {
  let source = null;
  let version = -1;
  let timer = 0;

  function open() {
    close();
    source = new EventSource(url);
    source.onopen = () => state('live');
    source.onerror = () => {
      state('reconnecting');
      // The browser tries again by itself, unless it was answered with something else than a stream
      if (source.readyState === EventSource.CLOSED) {
        reopen();
      }
    };
    source.addEventListener('snapshot', ({ data }) => take(JSON.parse(data)));
    source.addEventListener('change', ({ data }) => {
      const change = JSON.parse(data);
      if (change.since === version) {
        take(change);
      } else {
        state('reconnecting');
        reopen();
      }
    });
  }

  function take(message) {
    version = message.version;
    update(message);
  }

  function close() {
    clearTimeout(timer);
    source?.close();
  }

  function reopen() {
    close();
    timer = setTimeout(open, 1000);
  }

  // A page that nobody sees needs no updates; a browser allows a site few connections
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) {
      close();
      state('paused');
    } else {
      open();
    }
  });
  open();
}
