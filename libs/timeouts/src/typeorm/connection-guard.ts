import type { ScopeNode } from '../core/scope-node.js';
import type { EngineContext } from './engine-context.js';
import { PendingCancel } from './pending-cancel.js';
import type { CancelListener } from './pending-cancel.js';
import type { ClientConfig, DatabaseError, PgClient, ReadyMessage } from './pg-classes.js';
import type { QueryGuard } from './query-guard.js';
import { ScopeWatch } from './scope-watch.js';
import type { StatementLimit } from './statement-limit.js';

/** The server's own timeout is about to end the query: that is cheaper than a cancel, and as good. */
const SERVER_FIRST_MS = 50;

/** Told once the connection is quiet, and whether it is fit for the next user. */
export type WhenQuiet = (isFit: boolean) => void;

/**
 * One connection and the queries on it. Holds back the server's ReadyForQuery while a cancel request
 * is under way, so that pg sends nothing which that request could still hit.
 */
export class ConnectionGuard implements CancelListener {
  /** The server has parsed the statement that sets limits. */
  knowsPrefix = false;
  /** What the server was told for each statement of the transaction it is in. */
  transactionLimit: StatementLimit | undefined;
  /** Whether anything of a scope was done since it was last checked out. */
  isScoped = false;
  readonly #unsettled = new Set<QueryGuard>();
  readonly #watch = new ScopeWatch(() => this.#scopeCancelled());
  #onWire: QueryGuard | undefined;
  #cancel: PendingCancel | undefined;
  #heldReady: ReadyMessage | undefined;
  #whenQuiet: WhenQuiet | undefined;
  #isEnded = false;
  #isDropped = false;

  constructor(
    readonly client: PgClient,
    readonly config: ClientConfig,
    readonly context: EngineContext,
  ) {
    client.connection.once('end', () => this.#ended());
  }

  prefixKnown(): void {
    this.knowsPrefix = this.context.keepsStatements;
  }

  watch(scope: ScopeNode): void {
    this.isScoped = true;
    this.#watch.add(scope, !this.#onWire && this.#unsettled.size === 0);
  }

  /** Handed to pg, which may have another one to finish first. */
  issued(query: QueryGuard): void {
    if (query !== this.#onWire && !query.isAbandoned) this.#unsettled.add(query);
  }

  sent(query: QueryGuard): void {
    // Of a pipelined connection there is no telling which query a cancel would hit.
    if (this.client.pipeline) return;
    this.#unsettled.delete(query);
    this.#onWire = query;
  }

  answered(query: QueryGuard): void {
    if (this.#unsettled.size > 0) this.#unsettled.delete(query);
  }

  refused(query: QueryGuard): void {
    this.#unsettled.delete(query);
    if (this.#onWire === query) this.#onWire = undefined;
    setImmediate(() => this.checkQuiet());
  }

  cancel(query: QueryGuard): void {
    if (query !== this.#onWire || this.#cancel) return;
    const { clock } = query.scope.tree;
    const now = clock.now();
    const isServersTurn =
      query.scope.reason === 'deadline' && query.serverDueAt <= now + SERVER_FIRST_MS;
    const startAt = isServersTurn ? now + SERVER_FIRST_MS : now;
    const { client, config, context } = this;
    this.#cancel = new PendingCancel(client, config, context, this, clock, startAt);
  }

  /** Cancels what still runs, whatever its scope says. */
  cancelRunning(): void {
    const query = this.#onWire;
    if (query?.isOnWire && !query.isIrrevocable) this.cancel(query);
  }

  isAboutPrefix(error: DatabaseError): boolean {
    return this.#onWire?.query?.isAboutPrefix(error) ?? false;
  }

  /** @returns true when pg must not hear, or not yet, that the server is ready. */
  holds(message: ReadyMessage): boolean {
    if (this.#cancel?.isInDoubt && this.context.isGated) {
      this.#heldReady = message;
      this.context.stats.gatesHeld++;
      return true;
    }
    const query = this.#onWire;
    if (query?.query?.isToBeResent && !query.isAbandoned) {
      query.query.submit(this.client.connection);
      return true;
    }
    this.#cancel?.stop();
    this.#cancel = this.#onWire = undefined;
    if (message.status === 'I') this.transactionLimit = undefined;
    return false;
  }

  cancelDelivered(): void {
    const ready = this.#heldReady;
    if (!ready) return;
    this.#heldReady = undefined;
    this.context.stats.gatesHeld--;
    // oxlint-disable-next-line no-underscore-dangle
    this.client._handleReadyForQuery(ready);
  }

  cancelFailed(): void {
    this.countDropped();
    // Its user may not listen, and did nothing wrong.
    if (this.client.listenerCount('error') === 0) this.client.on('error', () => {});
    this.client.connection.stream.destroy();
  }

  countDropped(): void {
    if (!this.#isDropped) this.context.stats.dropped++;
    this.#isDropped = true;
  }

  get isQuiet(): boolean {
    if (this.#isEnded) return true;
    if (this.#onWire || this.#cancel || this.#unsettled.size > 0) return false;
    return this.client.readyForQuery !== false;
  }

  /** Checked out: what is done from now on is somebody else's. */
  begin(): void {
    this.isScoped = false;
  }

  /** Calls back at once when nothing is on the wire, otherwise as soon as that is so. */
  whenQuiet(done: WhenQuiet): void {
    this.#whenQuiet = done;
    this.checkQuiet();
  }

  checkQuiet(): void {
    const done = this.#whenQuiet;
    if (!done || !this.isQuiet) return;
    this.#whenQuiet = undefined;
    this.#watch.clear();
    done(this.isFit);
  }

  /** Of a quiet connection: whether the next user finds it as a new one would be. */
  get isFit(): boolean {
    return !this.#isEnded && this.client.getTransactionStatus() === 'I';
  }

  #ended(): void {
    if (this.#heldReady) this.context.stats.gatesHeld--;
    this.#heldReady = undefined;
    this.#cancel?.stop();
    this.#onWire?.answered();
    this.#cancel = this.#onWire = undefined;
    this.#watch.clear();
    this.#isEnded = true;
    // pg itself has yet to hear of it.
    setImmediate(() => this.checkQuiet());
  }

  #scopeCancelled(): void {
    for (const query of this.#unsettled) {
      if (!query.scope.cancellation || query.isIrrevocable) continue;
      this.#unsettled.delete(query);
      query.abandon(query.scope.error!);
    }
    const query = this.#onWire;
    if (!query?.isOnWire || !query.scope.cancellation || query.isIrrevocable) return;
    query.abandon(query.scope.error!);
    this.cancel(query);
  }
}
