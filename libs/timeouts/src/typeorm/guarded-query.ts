import type { ConnectionGuard } from './connection-guard.js';
import type { DatabaseError, PgConnection, PgQuery, QueryClass } from './pg-classes.js';
import type { QueryCallback } from './pg-classes.js';
import { QueryGuard } from './query-guard.js';
import type { ScopeNode } from '../core/scope-node.js';
import { isSingleStatement } from './sql-text.js';
import type { StatementKind } from './sql-text.js';
import { limitIn } from './statement-limit.js';
import type { StatementLimit } from './statement-limit.js';

/** pg's own query, that tells the server of its limit and ends with its scope. */
export interface GuardedQuery extends PgQuery {
  readonly guard: QueryGuard;
  /** The server does not know our statement: sent again without it, the query itself never ran. */
  isToBeResent: boolean;
  /** @returns true when the server does not know what went in front of the query. */
  isAboutPrefix(error: DatabaseError): boolean;
}

export type GuardedQueryClass = new (
  connection: ConnectionGuard,
  scope: ScopeNode,
  kind: StatementKind,
  config: unknown,
  values: unknown,
  callback: unknown,
) => GuardedQuery;

const classes = new WeakMap<QueryClass, GuardedQueryClass>();

const UNKNOWN_STATEMENT = new Set(['26000', '42P05']);
const nobody: QueryCallback = () => {};

export function guardedQueryClass(Base: QueryClass): GuardedQueryClass {
  let Guarded = classes.get(Base);
  if (!Guarded) classes.set(Base, (Guarded = extend(Base)));
  return Guarded;
}

function extend(Base: QueryClass): GuardedQueryClass {
  return class extends Base implements GuardedQuery {
    readonly guard: QueryGuard;
    isToBeResent = false;
    /** Results still to come of what was put in front. */
    #before = 0;
    /** How far the text was moved. */
    #moved = 0;
    /** What was added behind the statement gives results of its own. */
    #isFollowed = false;
    #isComplete = false;

    constructor(
      connection: ConnectionGuard,
      scope: ScopeNode,
      kind: StatementKind,
      config: unknown,
      values: unknown,
      callback: unknown,
    ) {
      super(config, values, callback);
      this.guard = new QueryGuard(connection, scope, kind, (error) => {
        const { callback: tell } = this;
        this.callback = nobody;
        tell?.(error);
      });
      this.guard.query = this;
    }

    override submit(connection: PgConnection): Error | null | undefined {
      const { guard } = this;
      if (guard.isAbandoned) return guard.refuse();
      const fault = this.#send(connection);
      return fault ? guard.refuse(fault) : fault;
    }

    #send(connection: PgConnection): Error | null | undefined {
      const { guard } = this;
      const { scope, kind } = guard;
      const now = scope.tree.clock.now();
      const limit = limitIn(scope, now);
      const { client, transactionLimit } = guard.connection;
      const isFree = !client.pipeline && client.getTransactionStatus() === 'I';
      if (!limit || (!isFree && transactionLimit)) {
        guard.sent(now, isFree ? undefined : transactionLimit);
        return super.submit(connection);
      }
      if (isFree && kind === 'start' && !this.requiresPreparation()) {
        return this.#start(connection, limit, now);
      }
      const { session, prefix } = guard.connection.context;
      const canTell = isFree && !session.isStricter('statement_timeout', limit.ms);
      if (canTell && this.#isLimitable) {
        guard.sent(now, limit);
        if (this.requiresPreparation()) return this.#submitBehindPrefix(connection, limit.ms);
        this.#before = prefix.results;
        return this.#submitAs(connection, prefix.text(limit.ms), '');
      }
      guard.sent(now, undefined);
      if (limit.of === 'statement') guard.watchLimit(limit);
      return super.submit(connection);
    }

    isAboutPrefix({ code }: DatabaseError): boolean {
      const { connection } = this.guard;
      if (this.#before === 0 || this.#moved > 0 || !UNKNOWN_STATEMENT.has(code!)) return false;
      connection.context.keepsStatements = connection.knowsPrefix = false;
      return (this.isToBeResent = true);
    }

    override handleDataRow(message: unknown): void {
      if (!this.guard.isAbandoned) super.handleDataRow(message);
    }

    override handleCommandComplete(message: unknown, connection: PgConnection): void {
      if (this.#before > 0) {
        if (--this.#before === 0 && this.#moved === 0) this.guard.connection.prefixKnown();
        return;
      }
      if (this.#isFollowed && this.#isComplete) return;
      this.#isComplete = true;
      super.handleCommandComplete(message, connection);
    }

    override handleReadyForQuery(connection: PgConnection): void {
      this.guard.answered();
      super.handleReadyForQuery(connection);
    }

    override handleError(error: DatabaseError, connection: PgConnection): void {
      this.guard.answered();
      if (this.#moved > 0 && error.position !== undefined) {
        error.position = String(Number(error.position) - this.#moved);
      }
      super.handleError(this.guard.explain(error), connection);
    }

    #start(connection: PgConnection, limit: StatementLimit, now: number): Error | null | undefined {
      const { guard } = this;
      const { session, settings } = guard.connection.context;
      const budgetMs = guard.scope.deadline - now;
      guard.connection.transactionLimit = limit;
      guard.sent(now, undefined);
      this.#isFollowed = true;
      const limits = session.forTransaction(limit, budgetMs, settings.lockMs);
      return this.#submitAs(connection, '', limits);
    }

    /** What refuses to run in a transaction block, or might, goes without. */
    get #isLimitable(): boolean {
      const { guard, text, values, name, rows } = this;
      if (name || rows || typeof text !== 'string') return false;
      if (guard.kind !== 'data') return false;
      return this.requiresPreparation()
        ? values === undefined || Array.isArray(values)
        : isSingleStatement(text);
    }

    #submitAs(connection: PgConnection, before: string, after: string): Error | null | undefined {
      const { text } = this;
      this.#moved = before.length;
      this.text = before + text + after;
      try {
        return super.submit(connection);
      } finally {
        this.text = text;
      }
    }

    #submitBehindPrefix(connection: PgConnection, ms: number): Error | null | undefined {
      const { context, knowsPrefix } = this.guard.connection;
      this.#before = 1;
      this.isToBeResent = false;
      const known = knowsPrefix ? 'known' : 'new';
      const { stream } = connection;
      stream.cork();
      try {
        stream.write(context.prefix.messages(ms, context.keepsStatements ? known : 'unnamed'));
        return super.submit(connection);
      } finally {
        stream.uncork();
      }
    }
  };
}
