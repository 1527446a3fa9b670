/** Runs `fn` once everything was read that has come in by now. */
export type AfterPoll = (fn: () => void) => void;

/** Cuts in a row before the event loop gets a turn: each is a cancel, and the start of an answer. */
const PER_TURN = 16;

let ready: (() => void)[] = [];
let added: (() => void)[] = [];
let isScheduled = false;

/**
 * Thousands of bodies that began together are overdue together. All immediates of a turn run in a row,
 * so one for each would block the event loop until the last of them is cut.
 */
export const afterPoll: AfterPoll = (fn) => {
  // Never to those of this turn: the loop may be past its poll.
  added.push(fn);
  schedule();
};

function schedule(): void {
  if (isScheduled) return;
  isScheduled = true;
  ready = ready.concat(added);
  added = [];
  setImmediate(runSome);
}

function runSome(): void {
  isScheduled = false;
  const due = ready;
  ready = due.splice(PER_TURN);
  if (ready.length + added.length > 0) schedule();
  for (const fn of due) fn();
}
