import type { Alarm, AlarmHandle } from '../core/clock.js';
import type { DeadlineExceededError } from '../core/errors.js';
import { noteLimit } from '../core/limit-errors.js';
import type { ScopeNode } from '../core/scope-node.js';
import type { ConnectionGuard } from './connection-guard.js';
import type { GuardedQuery } from './guarded-query.js';
import type { DatabaseError } from './pg-classes.js';
import type { StatementKind } from './sql-text.js';
import type { StatementLimit } from './statement-limit.js';
import { lockTimeout, statementTimeout } from './sql-limits.js';

const QUERY_CANCELED = '57014';
const TRANSACTION_TIMEOUT = '25P04';
const LOCK_NOT_AVAILABLE = '55P03';

/** The clocks of two machines, or of one and its timer wheel. */
const CLOCK_SLACK_MS = 1;

/** One query and the scope it was issued in. */
export class QueryGuard implements Alarm {
  /** Sent, and not answered yet. */
  isOnWire = false;
  /** Set where the limit in front of it may turn out to be unknown to the server. */
  query: GuardedQuery | undefined;
  /** Nobody waits for it any more. */
  isAbandoned = false;
  #sentAt = 0;
  #serverLimit: StatementLimit | undefined;
  #clientLimit: StatementLimit | undefined;
  #alarm: AlarmHandle | undefined;

  constructor(
    readonly connection: ConnectionGuard,
    readonly scope: ScopeNode,
    readonly kind: StatementKind,
    readonly reject: (error: Error) => void,
  ) {}

  /** It goes out now. `limit` is what the server was told, if it was told. */
  sent(now: number, serverLimit: StatementLimit | undefined): void {
    this.#sentAt = now;
    this.#serverLimit = serverLimit;
    this.isOnWire = true;
    this.connection.sent(this);
  }

  /** The server was not told of this limit, so that we have to watch it. */
  watchLimit(limit: StatementLimit): void {
    const { clock } = this.scope.tree;
    this.#clientLimit = limit;
    this.#alarm = clock.at(this.#sentAt + limit.ms, this, this.#sentAt);
  }

  ring(): void {
    this.#alarm = undefined;
    if (!this.isOnWire || this.isAbandoned) return;
    this.abandon(this.#limitReached(this.#clientLimit!));
    this.connection.cancel(this);
  }

  /** COMMIT: once sent, it is as good as done, and nobody could tell whether it was. */
  get isIrrevocable(): boolean {
    return this.kind === 'commit' && this.isOnWire;
  }

  /** When the server ends it by itself. */
  get serverDueAt(): number {
    return this.#serverLimit ? this.#sentAt + this.#serverLimit.ms : Infinity;
  }

  abandon(error: Error): void {
    if (this.isAbandoned) return;
    this.isAbandoned = true;
    this.#alarm?.cancel();
    this.reject(error);
  }

  answered(): void {
    this.isOnWire = false;
    this.#alarm?.cancel();
    this.connection.answered(this);
  }

  /** pg must not send it; it goes on to the next one by itself, without a word from the server. */
  refuse(error: Error = this.scope.error!): Error {
    this.isOnWire = false;
    this.connection.refused(this);
    return error;
  }

  /** What the query failed with, as far as it was our doing: the message is localised, so not by that. */
  explain(error: DatabaseError): Error {
    const { scope } = this;
    if (error.code === TRANSACTION_TIMEOUT) return scope.expireIfOverdue() ? scope.error! : error;
    if (error.code === LOCK_NOT_AVAILABLE) this.#noteLockLimit(error);
    if (error.code !== QUERY_CANCELED || !this.#serverLimit) return error;
    // Sooner than the limit, it was somebody else.
    if (this.#elapsedMs < this.#serverLimit.ms - CLOCK_SLACK_MS) return error;
    if (this.#serverLimit.of === 'budget' && scope.expireIfOverdue()) return scope.error!;
    noteLimit(error, this.#limitReached(this.#serverLimit));
    return error;
  }

  get #elapsedMs(): number {
    return this.scope.tree.clock.now() - this.#sentAt;
  }

  /** `NOWAIT` and a limit of the server's own fail with the same code. */
  #noteLockLimit(error: DatabaseError): void {
    const { scope, connection } = this;
    const { lockMs: timeoutMs } = connection.context.settings;
    const elapsedMs = this.#elapsedMs;
    const isOurs = this.#serverLimit && timeoutMs < this.#serverLimit.ms;
    if (!isOurs || elapsedMs < timeoutMs - CLOCK_SLACK_MS) return;
    noteLimit(error, lockTimeout({ scope, timeoutMs, elapsedMs }));
  }

  #limitReached({ ms }: StatementLimit): DeadlineExceededError {
    return statementTimeout({
      scope: this.scope,
      timeoutMs: Math.round(ms),
      elapsedMs: this.#elapsedMs,
    });
  }
}
