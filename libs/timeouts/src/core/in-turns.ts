const PER_TURN = 100;

/** Does what is to be done for thousands at once without blocking the event loop: a part per turn. */
export function inTurns<T>(items: T[], act: (item: T) => void): void {
  const rest = items.splice(PER_TURN);
  items.forEach(act);
  if (rest.length > 0) setImmediate(inTurns<T>, rest, act);
}
