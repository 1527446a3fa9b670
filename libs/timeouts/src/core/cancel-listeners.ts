import { setMaxListeners } from 'node:events';
import type { Cancellation } from './cancellation.js';
import { warn } from './scope-tree.js';

/** Who is told when a scope is cancelled: listeners of this library, then the scope's signal. */
export class CancelListeners {
  readonly #listeners = new Set<() => void>();
  #controller: AbortController | undefined;

  /** The scope's signal, made on first use; aborted if the scope was cancelled before. */
  signal(cancellation: Cancellation | undefined): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      setMaxListeners(0, this.#controller.signal);
      if (cancellation) this.#controller.abort(cancellation.error);
    }
    return this.#controller.signal;
  }

  add(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  clear(): void {
    this.#listeners.clear();
  }

  tell(cancellation: Cancellation): void {
    for (const listener of this.#listeners) {
      try {
        listener();
      } catch (error) {
        warn('A cancel listener threw', error);
      }
    }
    this.#listeners.clear();
    this.#controller?.abort(cancellation.error);
  }
}
