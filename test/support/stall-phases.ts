import { stat } from 'node:fs';

/** Ways to run something in each phase of the event loop. */
export const PHASES: Readonly<Record<string, (act: () => void) => void>> = {
  timer: (act) => void setTimeout(act, 1),
  microtask: (act) => void queueMicrotask(act),
  immediate: (act) => void setImmediate(act),
  'I/O': (act) => void stat('.', act),
};
