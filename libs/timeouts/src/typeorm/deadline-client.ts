import type { ScopeNode } from '../core/scope-node.js';
import { runIn, scopeOfCaller } from './caller-scope.js';
import { ConnectionGuard } from './connection-guard.js';
import type { EngineContext } from './engine-context.js';
import type { GuardedQuery } from './guarded-query.js';
import { guardedQueryClass } from './guarded-query.js';
import { GuardedSubmittable, isCursor, isStream } from './guarded-submittable.js';
import type { ClientClass, ClientConfig, DatabaseError } from './pg-classes.js';
import type { QueryCallback, ReadyMessage } from './pg-classes.js';
import type { QueryGuard } from './query-guard.js';
import { statementKind } from './sql-text.js';
import { tellOfEarlyEnd } from './stream-release.js';

const guards = new WeakMap<object, ConnectionGuard>();

/** The guard of a client made by {@link deadlineClient}. */
export function guardOf(client: object): ConnectionGuard {
  return guards.get(client)!;
}

/** pg's client, with every query ending with the scope that it was issued in. */
export function deadlineClient(Base: ClientClass, context: EngineContext): ClientClass {
  const { _handleReadyForQuery, _handleErrorMessage } = Base.prototype;
  if (!_handleReadyForQuery || !_handleErrorMessage || !Base.Query) {
    throw new Error('withDeadlines needs the Client of pg 8.21 or a later 8.x, and not pg-native');
  }
  const Guarded = guardedQueryClass(Base.Query);

  return class DeadlineClient extends Base {
    readonly #guard: ConnectionGuard;

    constructor(config?: ClientConfig) {
      super(config);
      this.#guard = new ConnectionGuard(this, config ?? {}, context);
      guards.set(this, this.#guard);
    }

    /** Outside the scope of whoever happens to need it first: a connection serves many. */
    override connect(callback?: unknown): unknown {
      return runIn(undefined, () => super.connect(callback));
    }

    override query(config: unknown, values?: unknown, callback?: unknown): unknown {
      const scope = scopeOfCaller();
      if (isStream(config)) tellOfEarlyEnd(config);
      if (!scope || config === null || config === undefined) {
        return super.query(config, values, callback);
      }
      const guard = this.#guard;
      guard.watch(scope);
      const isText = typeof config === 'string';
      if (!isText && 'submit' in (config as object)) {
        return this.#submit(scope, config as object, values, callback);
      }
      const kind = statementKind(isText ? config : (config as { text?: string }).text);
      if (kind === 'rollback') return super.query(config, values, callback);

      const query = new Guarded(guard, scope, kind, config, values, callback);
      const result = query.callback ? tellIn(scope, query) : promiseOf(query, scope);
      if (scope.expireIfOverdue()) refuse(query.guard);
      else {
        if (!isText) keepReadTimeout(query, config as ReadTimeout);
        super.query(query);
        guard.issued(query.guard);
      }
      return result;
    }

    override _handleErrorMessage(message: DatabaseError): void {
      // oxlint-disable-next-line no-underscore-dangle
      if (!this.#guard.isAboutPrefix(message)) super._handleErrorMessage(message);
    }

    override _handleReadyForQuery(message: ReadyMessage): void {
      const guard = this.#guard;
      if (guard.holds(message)) return;
      // oxlint-disable-next-line no-underscore-dangle
      super._handleReadyForQuery(message);
      guard.checkQuiet();
    }

    #submit(scope: ScopeNode, query: object, values: unknown, callback: unknown): unknown {
      if (!isCursor(query) || this.pipeline) return super.query(query, values, callback);
      const guard = this.#guard;
      const guarded = new GuardedSubmittable(guard, scope, query);
      if (scope.expireIfOverdue()) refuse(guarded.guard);
      else {
        super.query(guarded, values, callback);
        guard.issued(guarded.guard);
      }
      return query;
    }
  };
}

/** Without touching the wire, and like pg not before the caller can listen. */
function refuse(query: QueryGuard): void {
  process.nextTick(() => query.abandon(query.scope.error!));
}

function promiseOf(query: GuardedQuery, scope: ScopeNode): Promise<unknown> {
  return new Promise((resolve, reject) => {
    query.callback = (error, result) => (error ? reject(error) : resolve(result));
  }).catch((error: Error) => {
    // As pg does: the stack of the caller says more than that of a socket. A scope's own error is shared.
    if (error !== scope.error) Error.captureStackTrace(error);
    throw error;
  });
}

function tellIn(scope: ScopeNode, query: GuardedQuery): void {
  const callback = query.callback as QueryCallback;
  query.callback = (error, result) => runIn(scope, callback, error, result);
}

interface ReadTimeout {
  query_timeout?: number;
}

/** pg reads it from what it is handed. */
function keepReadTimeout(query: object, { query_timeout }: ReadTimeout): void {
  if (query_timeout) (query as ReadTimeout).query_timeout = query_timeout;
}
