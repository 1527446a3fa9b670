import type { Readable } from 'node:stream';
import type { ScopeNode } from '../core/scope-node.js';
import type { ConnectionGuard } from './connection-guard.js';
import type { DatabaseError, PgConnection, QueryCallback, Submittable } from './pg-classes.js';
import { QueryGuard } from './query-guard.js';

type Handler = (...args: unknown[]) => void;

interface Cursor extends Submittable {
  readonly _result?: unknown;
  readonly handleReadyForQuery: Handler;
  readonly handleRowDescription: Handler;
  readonly handleDataRow: Handler;
  readonly handlePortalSuspended: Handler;
  readonly handleCommandComplete: Handler;
  readonly handleEmptyQuery: Handler;
  destroy?(error: Error): void;
}

/** A cursor or a stream of rows; streams of COPY are not, and are left alone. */
export function isCursor(query: object): query is Cursor {
  return 'handlePortalSuspended' in query && ('cursor' in query || 'close' in query);
}

/** A stream of rows. */
export function isStream(query: unknown): query is Readable {
  return typeof query === 'object' && query !== null && 'cursor' in query && 'destroy' in query;
}

/** Stands in for a cursor or stream towards pg, and ends it with its scope. */
export class GuardedSubmittable implements Submittable {
  readonly guard: QueryGuard;
  readonly #inner: Cursor;

  constructor(connection: ConnectionGuard, scope: ScopeNode, inner: Cursor) {
    this.#inner = inner;
    this.guard = new QueryGuard(connection, scope, 'other', (error) => this.#end(error));
  }

  get callback(): QueryCallback | undefined {
    return this.#inner.callback;
  }

  set callback(callback: QueryCallback | undefined) {
    this.#inner.callback = callback;
  }

  get _result(): unknown {
    // oxlint-disable-next-line no-underscore-dangle
    return this.#inner._result;
  }

  submit(connection: PgConnection): Error | null | undefined {
    const { guard } = this;
    if (guard.isAbandoned) return guard.refuse();
    guard.sent(guard.scope.tree.clock.now(), undefined);
    return this.#inner.submit(connection);
  }

  handleError(error: DatabaseError, connection: PgConnection): void {
    this.guard.answered();
    // Told of its end already, it would ask for a second ReadyForQuery.
    if (this.guard.isAbandoned) return;
    this.#inner.handleError(this.guard.explain(error), connection);
  }

  handleReadyForQuery(...args: unknown[]): void {
    this.guard.answered();
    this.#inner.handleReadyForQuery(...args);
  }

  handleRowDescription(...args: unknown[]): void {
    this.#inner.handleRowDescription(...args);
  }

  handleDataRow(...args: unknown[]): void {
    this.#inner.handleDataRow(...args);
  }

  handlePortalSuspended(...args: unknown[]): void {
    this.#inner.handlePortalSuspended(...args);
  }

  handleCommandComplete(...args: unknown[]): void {
    this.#inner.handleCommandComplete(...args);
  }

  handleEmptyQuery(...args: unknown[]): void {
    this.#inner.handleEmptyQuery(...args);
  }

  /** It asks the server for no more rows, and for the ReadyForQuery that ends it. */
  #end(error: Error): void {
    if (this.#inner.destroy) this.#inner.destroy(error);
    else this.#inner.handleError(error, this.guard.connection.client.connection);
  }
}
