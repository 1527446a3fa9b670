import type { Alarm, AlarmHandle, Clock } from '../core/clock.js';
import type { CancelOutcome } from './cancel-request.js';
import { CancelRequest } from './cancel-request.js';
import type { EngineContext } from './engine-context.js';
import type { ClientConfig, PgClient } from './pg-classes.js';

/** A request may get there before the query does, and then does nothing. */
const AGAIN_AFTER_MS = 100;

/** What a pending cancel tells the connection it is for. */
export interface CancelListener {
  /** The request is behind us: nothing that is sent from now on can be hit by it. */
  cancelDelivered(): void;
  /** The connection can not be used safely any more. */
  cancelFailed(): void;
}

/** Ends the query that a connection is busy with: asks, asks again, and gives up after the grace. */
export class PendingCancel implements Alarm {
  readonly #giveUpAt: number;
  #alarm: AlarmHandle | undefined;
  #request: CancelRequest | undefined;
  #isQueued = false;
  #isOver = false;
  readonly #start = () => this.#send();

  /** @param startAt when to ask, where the server is about to end the query by itself. */
  constructor(
    readonly client: PgClient,
    readonly config: ClientConfig,
    readonly context: EngineContext,
    readonly listener: CancelListener,
    readonly clock: Clock,
    startAt: number,
  ) {
    const now = clock.now();
    this.#giveUpAt = now + context.settings.cancelGraceMs;
    if (startAt > now) this.#wakeAt(startAt);
    else this.#ask();
  }

  /** A request is on its way: until it arrived, nothing else may be sent on the connection. */
  get isInDoubt(): boolean {
    return this.#request?.isWritten ?? false;
  }

  ring(): void {
    this.#alarm = undefined;
    if (this.#isOver) return;
    if (this.clock.now() < this.#giveUpAt) {
      this.#ask();
      return;
    }
    this.stop();
    this.listener.cancelFailed();
  }

  /** The query is over, or its connection. */
  stop(): void {
    this.#isOver = true;
    this.#alarm?.cancel();
    this.context.cancels.forget(this.#start);
    this.#request?.abort();
  }

  #ask(): void {
    this.#wakeAt(this.#giveUpAt);
    if (this.client.pipeline || !this.client.processID || this.#isQueued) return;
    this.#isQueued = true;
    this.context.cancels.enter(this.#start);
  }

  #send(): void {
    this.#request = new CancelRequest(this.client, this.config, (outcome) => this.#sent(outcome));
  }

  #sent(outcome: CancelOutcome): void {
    if (this.isInDoubt) this.context.stats.cancelsSent++;
    this.#request = undefined;
    this.#isQueued = false;
    this.context.cancels.leave();
    if (this.#isOver) return;
    if (outcome === 'unknown') {
      this.stop();
      this.listener.cancelFailed();
      return;
    }
    this.#wakeAt(Math.min(this.clock.now() + AGAIN_AFTER_MS, this.#giveUpAt));
    if (outcome === 'delivered') this.listener.cancelDelivered();
  }

  #wakeAt(instant: number): void {
    this.#alarm?.cancel();
    this.#alarm = this.clock.at(Math.min(instant, this.#giveUpAt), this);
  }
}
