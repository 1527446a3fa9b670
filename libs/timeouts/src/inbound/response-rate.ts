import { AsyncResource } from 'node:async_hooks';
import type { ReachedLimit } from '../core/cancellation.js';
import type { ScopeNode } from '../core/scope-node.js';
import type { ResponseLimits } from '../policy/resolved-options.js';
import { HttpExchange } from './http-exchange.js';
import { WaitingAnswer } from './response-rate-answer.js';
import { ResponseRateCredit } from './response-rate-credit.js';
import type { Connection } from './response-rate-intake.js';
import { ResponseRateIntake } from './response-rate-intake.js';
import type { Outlet } from './response-rate-outlet.js';
import { connectionOf, waitingOutlet } from './response-rate-outlet.js';

const SHORTEST_PERIOD_MS = 20;
const LONGEST_PERIOD_MS = 500;
const LOOKS_PER_GRACE = 10;

/**
 * The lowest rate at which clients may take their answers. It looks at what is in flight from time to
 * time, so that an answer which is taken as it is written costs nothing, and a silent one no more.
 */
export class ResponseRate {
  readonly #periodMs: number;
  readonly #limit: ReachedLimit;
  /** A timer made inside a request would hold on to the async context of that request. */
  readonly #outsideRequests = new AsyncResource('nestjs-timeouts');
  readonly #look = () => this.#lookAtAnswers();
  #isAwake = false;
  #lookedAt = 0;
  #waiting = new Map<Outlet, WaitingAnswer>();
  #intakes = new Map<Connection, ResponseRateIntake>();

  private constructor(
    readonly root: ScopeNode,
    readonly limits: ResponseLimits,
  ) {
    const { graceMs, minRate } = limits;
    const periodMs = Math.max(graceMs / LOOKS_PER_GRACE, SHORTEST_PERIOD_MS);
    this.#periodMs = Math.min(periodMs, LONGEST_PERIOD_MS);
    const message = `Client read the response slower than ${minRate} B/s`;
    this.#limit = { layer: 'response', timeoutMs: graceMs, message };
  }

  /** @returns undefined where clients may take as long as they like. */
  static of(root: ScopeNode, limits: ResponseLimits): ResponseRate | undefined {
    const isLimited = limits.minRate > 0 && limits.graceMs < Infinity;
    return isLimited ? new ResponseRate(root, limits) : undefined;
  }

  /** A request has arrived. From now on it looks, for as long as anything is in flight. */
  wake(): void {
    if (this.#isAwake) return;
    this.#isAwake = true;
    this.#lookedAt = this.root.tree.clock.now();
    this.#arm();
  }

  #arm(): void {
    const timer = this.#outsideRequests.runInAsyncScope(
      setTimeout,
      undefined,
      this.#look,
      this.#periodMs,
    );
    timer.unref();
  }

  #lookAtAnswers(): void {
    const { children, tree } = this.root;
    this.#isAwake = children.size > 0;
    if (this.#isAwake) this.#arm();
    const now = tree.clock.now();
    // While the event loop was blocked, nothing could be taken.
    const elapsedMs = Math.min(now - this.#lookedAt, this.#periodMs);
    this.#lookedAt = now;
    if (tree.isSuspended()) return;
    const before = this.#findWaiting();
    const slow = [...this.#waiting.values()].filter(
      (answer) => before.has(answer.outlet) && !answer.spend(elapsedMs),
    );
    if (slow.length > 0)
      this.#outsideRequests.runInAsyncScope(setImmediate, undefined, this.#cut, slow);
  }

  /** @returns those of the look before. */
  #findWaiting(): ReadonlyMap<Outlet, WaitingAnswer> {
    const before = this.#waiting;
    const intakes = this.#intakes;
    this.#waiting = new Map();
    this.#intakes = new Map();
    for (const { edge } of this.root.children) {
      if (!(edge instanceof HttpExchange)) continue;
      const outlet = waitingOutlet(edge.res);
      if (outlet) this.#follow(edge, outlet, before, intakes);
    }
    for (const answer of before.values()) if (!this.#waiting.has(answer.outlet)) answer.leave();
    return before;
  }

  #follow(
    exchange: HttpExchange,
    outlet: Outlet,
    before: ReadonlyMap<Outlet, WaitingAnswer>,
    intakes: ReadonlyMap<Connection, ResponseRateIntake>,
  ): void {
    const connection = connectionOf(exchange.res);
    if (!connection) return;
    const intake =
      this.#intakes.get(connection) ??
      intakes.get(connection)?.look() ??
      ResponseRateIntake.of(connection);
    if (!intake) return;
    this.#intakes.set(connection, intake);
    intake.sharers++;
    let answer = before.get(outlet);
    if (answer) answer.exchange = exchange;
    else answer = new WaitingAnswer(exchange, outlet, intake, new ResponseRateCredit(this.limits));
    this.#waiting.set(outlet, answer);
  }

  readonly #cut = (slow: readonly WaitingAnswer[]): void => {
    for (const answer of slow) {
      if (!answer.isStuck) continue;
      this.#waiting.delete(answer.outlet);
      answer.cut(this.#limit);
    }
  };
}
