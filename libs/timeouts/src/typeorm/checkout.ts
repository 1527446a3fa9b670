import { putBlame, takeBackBlame } from '../core/blame.js';
import type { Alarm, AlarmHandle } from '../core/clock.js';
import { firstToExpire } from '../core/lineage.js';
import type { ScopeNode } from '../core/scope-node.js';
import { systemClock } from '../core/system-clock.js';
import { runIn } from './caller-scope.js';
import type { EngineContext } from './engine-context.js';
import type { PermitGate } from './permit-gate.js';
import { Waiter } from './permit-gate.js';
import type { ConnectCallback, PgClient } from './pg-classes.js';
import { POOL_WAIT, poolWaitTimeout } from './sql-limits.js';

/** The pool, as far as a checkout needs it. */
export interface Desk {
  readonly context: EngineContext;
  readonly gate: PermitGate;
  readonly options: { readonly connectionTimeoutMillis?: number };
  /** Whether a connection is there already. */
  hasSpare(): boolean;
  /** pg-pool's own `connect`. */
  acquire(callback: ConnectCallback): void;
  /** Prepares a connection for its user. */
  lend(client: PgClient): void;
}

const nothing = (): void => {};

/** One caller and the connection it waits for. */
export class Checkout extends Waiter implements Alarm {
  readonly #since: number;
  #isOver = false;
  #stopListening = nothing;
  #alarm: AlarmHandle | undefined;
  /** Whose deadline comes first: when it passes, the wait is what its time was lost on. */
  #blamed: ScopeNode | undefined;

  constructor(
    readonly desk: Desk,
    readonly scope: ScopeNode | undefined,
    readonly callback: ConnectCallback,
  ) {
    super();
    this.#since = this.#clock.now();
  }

  begin(): void {
    const { desk, scope } = this;
    if (scope?.expireIfOverdue()) {
      process.nextTick(() => this.#abandon(scope.error!));
      return;
    }
    if (desk.gate.take()) {
      if (!desk.hasSpare()) this.#watch();
      this.#acquire();
      return;
    }
    desk.gate.enter(this);
    desk.context.stats.waits++;
    desk.context.stats.waiting++;
    this.#watch();
  }

  granted(): void {
    const { stats } = this.desk.context;
    stats.waiting--;
    stats.waitedMs += this.#clock.now() - this.#since;
    this.#acquire();
  }

  refuse(error: Error): void {
    this.#abandon(error);
  }

  ring(): void {
    this.#alarm = undefined;
    if (this.#isOver) return;
    const { scope } = this;
    const now = this.#clock.now();
    if (this.isWaiting && this.#pgLimitAt <= now) {
      this.#abandon(new Error('timeout exceeded when trying to connect'));
    } else if (scope && this.#capAt <= now) {
      const { poolWaitMs } = this.desk.context.settings;
      this.#abandon(poolWaitTimeout(this.#reached(scope, poolWaitMs), true));
    } else this.#setAlarm();
  }

  get #clock() {
    return this.scope?.tree.clock ?? systemClock;
  }

  /** pg-pool's own limit, which it applies again while it connects. */
  get #pgLimitAt(): number {
    const { connectionTimeoutMillis } = this.desk.options;
    return this.isWaiting && connectionTimeoutMillis
      ? this.#since + connectionTimeoutMillis
      : Infinity;
  }

  get #capAt(): number {
    return this.scope ? this.#since + this.desk.context.settings.poolWaitMs : Infinity;
  }

  #watch(): void {
    const { scope } = this;
    if (scope) {
      this.#blamed = firstToExpire(scope);
      putBlame(this.#blamed, POOL_WAIT);
      this.#stopListening = scope.onCancel(() => this.#abandon(this.#cancelled(scope)));
    }
    this.#setAlarm();
  }

  #setAlarm(): void {
    const instant = Math.min(this.#pgLimitAt, this.#capAt);
    if (instant !== Infinity) this.#alarm = this.#clock.at(instant, this);
  }

  #cancelled(scope: ScopeNode): Error {
    const { reason, layer, timeoutMs } = scope.cancellation!;
    const isPools = reason === 'deadline' && layer === POOL_WAIT.layer;
    return isPools ? poolWaitTimeout(this.#reached(scope, timeoutMs), false) : scope.error!;
  }

  #reached(scope: ScopeNode, timeoutMs: number) {
    return { scope, timeoutMs, elapsedMs: this.#clock.now() - this.#since };
  }

  #acquire(): void {
    this.desk.acquire((error, client) => this.#arrived(error, client));
  }

  #arrived(error: Error | undefined, client: PgClient | undefined): void {
    const { desk } = this;
    if (this.#isOver) {
      client?.release!();
      desk.gate.giveBack();
      return;
    }
    this.#close();
    if (error || !client) {
      desk.gate.giveBack();
      runIn(this.scope, this.callback, error, undefined, nothing);
      return;
    }
    desk.lend(client);
    runIn(this.scope, this.callback, undefined, client, client.release);
  }

  #abandon(error: Error): void {
    if (this.#isOver) return;
    const { gate, context } = this.desk;
    this.#close();
    if (this.isWaiting) {
      gate.leave(this);
      context.stats.waiting--;
    }
    context.stats.abandoned++;
    runIn(this.scope, this.callback, error, undefined, nothing);
  }

  #close(): void {
    this.#isOver = true;
    this.#stopListening();
    if (this.#blamed) takeBackBlame(this.#blamed);
    this.#alarm?.cancel();
  }
}
