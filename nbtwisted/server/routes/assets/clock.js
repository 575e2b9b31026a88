// The server's clock, in seconds. A frame is never early, so the least late one tells it
// best; what that says is given up a little at a time, because clocks drift.

let offset = null, stoppedAt = null;

// The browser's own, which never steps.
export const local = () => performance.now() / 1000;

export const isSet = () => offset !== null;

export const time = () => stoppedAt ?? (isSet() ? local() + offset : 0);

// Goes on as well, if it was stopped.
export function set(now) {
  const found = now - local();
  stoppedAt = null;
  const isNew = offset === null || Math.abs(found - offset) > 2;
  offset = isNew ? found : Math.max(found, offset - 0.005);
}

export function stop() {
  stoppedAt = time();
}

export function forget() {
  offset = null;
}
