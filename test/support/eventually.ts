import { setTimeout as sleep } from 'node:timers/promises';

const PATIENCE_MS = 10_000;

/** Waits until `find` gives something, for what announces itself by no event. */
export async function eventually<T>(
  find: () => T | undefined | false,
  what = find.toString(),
): Promise<T> {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    const found = find();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > end) throw new Error(`never came: ${what}`);
    await sleep(2);
  }
}
