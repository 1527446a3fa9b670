import type { BeforeApplicationShutdown, OnApplicationShutdown } from '@nestjs/common';
import { closeApplicationScope } from '../core/current-scope.js';
import { isIdleWithin } from '../core/run-scoped.js';
import type { ScopeNode } from '../core/scope-node.js';

/** Where the application is on its way down. */
export type DrainState = 'running' | 'draining' | 'forced' | 'closed';

/** What was forced to end is waited for this long. */
const FORCED_LIMIT_MS = 1_000;

/**
 * Lets what is in flight finish before the application's clients are closed, and cancels what has
 * not finished after `shutdown.grace`.
 *
 * @example
 * constructor(private readonly drain: DrainService) {}
 *
 * isReady() {
 *   return this.drain.state === 'running';
 * }
 */
export class DrainService implements BeforeApplicationShutdown, OnApplicationShutdown {
  readonly #root: ScopeNode;
  readonly #graceMs: number;
  #state: DrainState = 'running';
  #drained: Promise<void> | undefined;

  /** @internal */
  constructor(root: ScopeNode, graceMs: number) {
    this.#root = root;
    this.#graceMs = graceMs;
  }

  /** `running`, then `draining`; `forced` once the rest was cancelled; `closed` at the end. */
  get state(): DrainState {
    return this.#state;
  }

  /** Requests, tasks and cleanups that have not ended, late ones included. */
  get inFlight(): number {
    return this.#root.children.size;
  }

  /**
   * Waits until nothing is in flight, at most `shutdown.grace`; then cancels the rest with reason
   * `shutdown`. Never rejects; called again, it gives the same promise.
   */
  drain(): Promise<void> {
    return (this.#drained ??= this.#drain());
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.drain();
  }

  onApplicationShutdown(): void {
    this.#state = 'closed';
    closeApplicationScope(this.#root);
  }

  async #drain(): Promise<void> {
    this.#state = 'draining';
    if (await isIdleWithin(this.#root, this.#graceMs)) return;
    this.#state = 'forced';
    this.#root.cancel('shutdown');
    await isIdleWithin(this.#root, FORCED_LIMIT_MS);
  }
}
