/**
 * Follows the server's updates: a snapshot, and then changes, each of which builds on the previous one. After any
 * failure, the stream is reopened and starts with a snapshot.
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
      // The browser reconnects by itself, unless the response was not a stream
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

  // A hidden page needs no updates, and a browser limits the connections per site
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
