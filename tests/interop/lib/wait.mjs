// Every wait of the suites is for an event and has a bound; none is a plain sleep.

const BOUND_MS = 15_000;

/** The promise's outcome, or an error that says what did not come in time. */
export async function within(promise, what, boundMs = BOUND_MS) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${boundMs} ms for ${what}`)), boundMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The arguments of the emitter's next such event. */
export function next(emitter, event, boundMs = BOUND_MS) {
  const heard = new Promise((resolve) => emitter.once(event, (...args) => resolve(args)));
  return within(heard, `the event ${event}`, boundMs);
}

/** Resolves once `event` came with arguments that `accept` likes; later ones are looked at too. */
export function nextWhere(emitter, event, accept, boundMs = BOUND_MS) {
  let listener;
  const heard = new Promise((resolve) => {
    listener = (...args) => accept(...args) && resolve(args);
    emitter.on(event, listener);
  });
  const waiting = within(heard, `an event ${event} of the expected kind`, boundMs);
  return waiting.finally(() => emitter.off(event, listener));
}

/** The first arguments of the next `count` such events, in the order of their arrival. */
export function collect(emitter, event, count, boundMs = BOUND_MS) {
  const heard = [];
  let listener;
  const all = new Promise((resolve) => {
    listener = (value) => heard.push(value) === count && resolve(heard);
    emitter.on(event, listener);
  });
  const what = () => `${count} events ${event} (${heard.length} came)`;
  const waiting = within(all, { toString: what }, boundMs);
  return waiting.finally(() => emitter.off(event, listener));
}
