import type { Alarm, AlarmHandle } from '../core/clock.js';
import { formatDuration } from '../core/duration.js';
import type { BodyLimits } from '../policy/resolved-options.js';
import type { AfterPoll } from './after-poll.js';
import { afterPoll } from './after-poll.js';
import type { BodyDue } from './body-meter.js';
import { BodyMeter } from './body-meter.js';
import type { HttpExchange } from './http-exchange.js';
import { bodySource } from './request-body.js';

const SUSPENDED_RECHECK_MS = 1_000;

/** Cancels an exchange whose body comes in too slowly, by the limits of the policy that is in force. */
export class BodyWatch implements Alarm {
  readonly #meter: BodyMeter;
  #alarm: AlarmHandle | undefined;
  #armedFor = 0;
  #hasBegun = false;

  constructor(
    readonly exchange: HttpExchange,
    readonly whenRead: AfterPoll = afterPoll,
  ) {
    this.#meter = new BodyMeter(bodySource(exchange.req), exchange.scope.tree.clock.now);
  }

  /** All of the body has arrived. */
  get isComplete(): boolean {
    return this.#meter.isComplete;
  }

  /** @param startedAt the instant from which on the client could send. */
  begin(startedAt: number): void {
    if (this.#isOver()) return;
    const meter = this.#meter;
    this.#hasBegun = true;
    meter.watch(startedAt);
    // HTTP/2 delivers nothing before the application asks for it.
    if (meter.source !== this.exchange.req && meter.source.readableFlowing === null) meter.hold();
    meter.onResume = () => this.#arm();
    this.#arm();
  }

  /** Another policy is in force. */
  reconsider(): void {
    this.#alarm?.cancel();
    this.#alarm = undefined;
    if (this.#hasBegun) this.#arm();
  }

  /** The request is over. Answered early, it holds its connection until the rest has been read. */
  end(): void {
    if (this.#isOver()) this.#alarm?.cancel();
    else this.exchange.req.once('close', () => this.#alarm?.cancel());
  }

  ring(): void {
    this.#alarm = undefined;
    if (this.#isOver()) return;
    const { tree } = this.exchange.scope;
    const now = tree.clock.now();
    if (tree.isSuspended()) {
      this.#meter.restart();
      this.#armFor(now + SUSPENDED_RECHECK_MS);
      return;
    }
    // The loop was late, not the client.
    this.#meter.forgive(now - this.#armedFor);
    if (this.#due().instant > now) this.#arm();
    else this.whenRead(() => this.#decide(now));
  }

  /** What had come in by the time of the alarm has been read. */
  #decide(now: number): void {
    if (this.#isOver()) return;
    const { inbound } = this.exchange;
    inbound.routes.identify(this.exchange);
    const due = this.#due();
    if (due.instant > now) this.#arm();
    else this.#cut(due);
  }

  #due(): BodyDue {
    return this.#meter.due(this.exchange.policy.body);
  }

  #arm(): void {
    if (this.#alarm || this.#isOver()) return;
    const { instant } = this.#due();
    if (instant !== Infinity) this.#armFor(instant);
  }

  #armFor(instant: number): void {
    this.#armedFor = instant;
    this.#alarm = this.exchange.scope.tree.clock.at(instant, this);
  }

  #cut({ limit }: BodyDue): void {
    const { policy, req, scope } = this.exchange;
    const limits = policy.body;
    if (scope.closed) req.destroy();
    scope.cancel('deadline', {
      layer: 'body',
      timeoutMs: limits[PERIODS[limit]],
      message: `Timed out while reading request body: ${WORDS[limit](limits)}`,
    });
  }

  /** Nobody waits for the rest: it is there, or its request has been cut. */
  #isOver(): boolean {
    const { req, scope } = this.exchange;
    return this.#meter.isComplete || scope.cancellation !== undefined || req.destroyed;
  }
}

const PERIODS = { idle: 'idleMs', rate: 'graceMs', total: 'totalMs' } as const;

const WORDS: Record<BodyDue['limit'], (limits: BodyLimits) => string> = {
  idle: ({ idleMs }) => `nothing arrived for ${formatDuration(idleMs)}`,
  rate: ({ minRate }) => `slower than ${minRate} B/s`,
  total: ({ totalMs }) => `not complete within ${formatDuration(totalMs)}`,
};
