import { enterScope } from './current-scope.js';
import type { ScopeNode } from './scope-node.js';

/**
 * Reads an async iterable inside a scope. When the scope is cancelled the read in progress rejects
 * and the source is told to return, so that its `finally` runs.
 */
export class BoundIterator<T> implements AsyncIterableIterator<T> {
  readonly #scope: ScopeNode;
  readonly #source: AsyncIterator<T>;
  #done = false;

  constructor(scope: ScopeNode, iterable: AsyncIterable<T>) {
    this.#scope = scope;
    this.#source = enterScope(scope, () => iterable[Symbol.asyncIterator]());
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<T>> {
    if (this.#done) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => {
      const scope = this.#scope;
      const stopListening = scope.onCancel(() => {
        reject(scope.error);
        // Queued behind the read in progress; nobody is left to hear how it went.
        this.return().catch(() => {});
      });
      if (scope.cancellation) return;
      enterScope(scope, () => this.#source.next()).then(
        (result) => {
          stopListening();
          this.#done ||= result.done === true;
          resolve(result);
        },
        (error) => {
          stopListening();
          this.#done = true;
          reject(error as Error);
        },
      );
    });
  }

  async return(value?: unknown): Promise<IteratorResult<T>> {
    this.#done = true;
    await enterScope(this.#scope, () => this.#source.return?.(value));
    return { done: true, value };
  }
}
