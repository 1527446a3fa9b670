import { onceOrphaned } from './orphaned.js';
import type { Stack } from './stack.js';

/* npm passes Ctrl-C on to a launcher that the terminal has told already. */
const SAME_SIGNAL_WITHIN_MS = 500;

/** Stops the stack at the first signal and settles; a second signal cuts the drain short. */
export function stopOnSignal(stack: Stack): Promise<void> {
  return new Promise((resolve) => {
    let askedAt: number | undefined;
    const onSignal = (why: string): void => {
      const now = performance.now();
      if (askedAt === undefined) {
        askedAt = now;
        console.log(`${why}: stopping`);
        void stack.stop();
        resolve();
      } else if (now - askedAt > SAME_SIGNAL_WITHIN_MS) {
        stack.force();
      }
    };
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
    onceOrphaned(() => onSignal('npm has ended'));
  });
}
