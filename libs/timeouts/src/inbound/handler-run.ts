import { tellIfLate } from '../core/run-scoped.js';
import { discardResult } from './discard-result.js';
import type { HttpExchange } from './http-exchange.js';

export type Handler = (...args: unknown[]) => unknown;

type Settle = (value: unknown) => void;

/**
 * The run of a route's handler: its answer counts only within the deadline. Nest awaits what a
 * handler gives, so the run itself can stand for the result until then; a promise would cost two.
 * Where an interceptor carries the cancel, the result goes to it as it is.
 */
export class HandlerRun {
  /** The handler has not settled; what goes on after the cancel is late work. */
  isRunning = true;
  #result: PromiseLike<unknown> | undefined;
  #reject: Settle | undefined;

  constructor(readonly exchange: HttpExchange) {}

  start(handler: Handler, self: unknown, args: unknown[]): unknown {
    const { scope } = this.exchange;
    let result: unknown;
    try {
      result = handler.apply(self, args);
    } catch (error) {
      const over = scope.expireIfOverdue();
      this.#settled(error);
      if (over) return overAlready(this.exchange);
      throw error;
    }
    if (isThenable(result)) {
      this.#result = result;
      return this.exchange.isCarried ? result : this;
    }
    const over = scope.expireIfOverdue();
    this.#settled();
    if (!over) return this.exchange.adopt(result);
    discardResult(result);
    return overAlready(this.exchange);
  }

  // oxlint-disable-next-line unicorn/no-thenable -- see above
  then(resolve: Settle, reject: Settle): void {
    const { scope } = this.exchange;
    this.#reject = reject;
    if (scope.cancellation) this.exchange.onCancel(scope.cancellation);
    this.#result!.then(
      (value) => {
        const over = scope.expireIfOverdue();
        this.#settled();
        if (over) discardResult(value);
        else resolve(this.exchange.adopt(value));
      },
      (error) => {
        const over = scope.expireIfOverdue();
        this.#settled(error);
        if (!over) reject(error);
      },
    );
  }

  /**
   * Hands the cancellation to Nest, and so to the exception filters.
   * @returns false when Nest awaits nothing of this run, or not any more.
   */
  reject(): boolean {
    // Before the handler has returned, `start` throws in its place.
    if (this.isRunning && !this.#result) return true;
    this.#reject?.(this.exchange.scope.error);
    this.#reject = undefined;
    return this.#result !== undefined && this.isRunning;
  }

  /** The interceptor that awaited the result has it. */
  settle(error: unknown): void {
    if (this.isRunning && !this.#reject) this.#settled(error);
  }

  /** The interceptor that awaited the result does not any more. */
  follow(): void {
    if (!this.isRunning || this.#reject) return;
    if (!this.#result) {
      this.#settled();
      return;
    }
    this.#result.then(
      (value) => {
        this.#settled();
        discardResult(value);
      },
      (error) => this.#settled(error),
    );
  }

  #settled(error?: unknown): void {
    this.isRunning = false;
    tellIfLate(this.exchange.scope, error);
    this.exchange.handlerSettled(error);
  }
}

/** What takes the place of a handler, or of its result, once the request is over. */
export function overAlready({ scope }: HttpExchange): Promise<never> {
  // A client that left is answered by nobody, so neither filters nor interceptors hear of it.
  if (scope.reason === 'disconnect') return new Promise(() => {});
  throw scope.error;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | undefined)?.then === 'function';
}
