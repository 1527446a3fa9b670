import { EventEmitter, once } from 'node:events';

/** What happened inside an application, in order, for a test to wait for. */
export class Notes {
  readonly all: string[] = [];
  readonly #times = new Map<string, number>();
  readonly #emitter = new EventEmitter().setMaxListeners(0);

  add(what: string): void {
    this.all.push(what);
    if (!this.#times.has(what)) this.#times.set(what, performance.now());
    this.#emitter.emit('note');
  }

  count(what: string): number {
    return this.all.filter((note) => note === what).length;
  }

  /** Waits for the `times`-th `what`; gives the instant of the first. */
  async seen(what: string, times = 1): Promise<number> {
    while (this.count(what) < times) {
      await once(this.#emitter, 'note', { signal: AbortSignal.timeout(10_000) }).catch(() => {
        throw new Error(`"${what}" was not noted; seen: ${this.all.join(', ') || 'nothing'}`);
      });
    }
    return this.#times.get(what)!;
  }
}
