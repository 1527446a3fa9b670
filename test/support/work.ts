import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { currentScope } from 'nestjs-timeouts';

/** Work that does not end and does not listen. */
export function forever(): Promise<never> {
  return new Promise(() => {});
}

/** Work that goes on until its scope is cancelled. */
export function untilCancelled(): Promise<never> {
  return delay(60_000, undefined, { signal: currentScope().signal }) as Promise<never>;
}

/** Does not let the event loop turn. */
export function block(ms: number): void {
  // Without work for the processor, which others need meanwhile.
  Atomics.wait(NOBODY_WAKES, 0, 0, ms);
}

const NOBODY_WAKES = new Int32Array(new SharedArrayBuffer(4));

/** A stream without an end that says when it is destroyed. */
export function endless(onDestroy: () => void): Readable {
  return new Readable({
    read() {
      setImmediate(() => this.push('more '));
    },
    destroy(error, done) {
      onDestroy();
      done(error);
    },
  });
}
