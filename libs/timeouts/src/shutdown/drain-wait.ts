import type { ScopeNode } from '../core/scope-node.js';

/** The waits of a drain: each has its limit, and all are cut short by `end`. */
export class DrainWait {
  #isEnded = false;
  #settle: (() => void) | undefined;

  constructor(readonly root: ScopeNode) {}

  /** Nobody waits any more, now or later. */
  end(): void {
    this.#isEnded = true;
    this.#settle?.();
  }

  async pause(ms: number): Promise<void> {
    if (ms > 0) await this.#within(ms, () => () => {});
  }

  /** @returns whether nothing is in flight, `ms` from now at the latest. */
  async idle(ms: number): Promise<boolean> {
    const { children } = this.root;
    if (children.size > 0) await this.#within(ms, (settle) => children.onEmpty(settle));
    return children.size === 0;
  }

  #within(ms: number, listen: (settle: () => void) => () => void): Promise<void> {
    if (this.#isEnded) return Promise.resolve();
    const { clock } = this.root.tree;
    return new Promise((resolve) => {
      const settle = () => {
        alarm?.cancel();
        stopListening();
        this.#settle = undefined;
        resolve();
      };
      const alarm = ms === Infinity ? undefined : clock.at(clock.now() + ms, { ring: settle });
      const stopListening = listen(settle);
      this.#settle = settle;
    });
  }
}
