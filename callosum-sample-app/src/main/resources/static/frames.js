/**
 * Returns a function that takes updates. The next animation frame draws all that came before it at once, however many
 * updates that is.
 *
 * @param begin returns what has changed before the first update, which is nothing
 * @param add adds an update to what has changed
 * @param draw draws what has changed, on top of what was drawn before unless it is a snapshot
 */
export function inFrames({ begin, add, draw }) {
  let pending = null;

  function frame() {
    // Before the drawing, which would otherwise be the last one if it failed
    const changes = pending;
    pending = null;
    draw(changes);
  }

  return (update) => {
    if (pending === null) {
      requestAnimationFrame(frame);
    }
    if (pending === null || update.since < 0) {
      pending = { snapshot: update.since < 0, ...begin() };
    }
    add(pending, update);
  };
}
