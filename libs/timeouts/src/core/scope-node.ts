import type { Alarm, AlarmHandle } from './clock.js';
import { CancelListeners } from './cancel-listeners.js';
import type { ReachedLimit } from './cancellation.js';
import { Cancellation } from './cancellation.js';
import type { Duration } from './duration.js';
import { parseDuration } from './duration.js';
import type { CancelledError, CancelReason, Layer } from './errors.js';
import type { Ending, ScopeKind } from './outcome.js';
import { outcomeOf } from './outcome.js';
import { inTurns } from './in-turns.js';
import { firstToExpire, limitedBy } from './lineage.js';
import type { Cleanup, Scope } from './scope.js';
import type { ScopeEdge } from './scope-edge.js';
import { ScopeList } from './scope-list.js';
import type { ScopeTree } from './scope-tree.js';
import { attempt, warn } from './scope-tree.js';

const SUSPENDED_RECHECK_MS = 1_000;

/** The one implementation of {@link Scope}: its place in the tree, its deadline, its cancellation. */
export class ScopeNode implements Scope, Alarm {
  edge: ScopeEdge | undefined;
  /** What runs past the deadline, where that is not what the scope is called. */
  subject: string | undefined;
  /** Its place among the open children of its parent. */
  previous: ScopeNode | undefined;
  next: ScopeNode | undefined;
  #ownDeadline = Infinity;
  #alarm: AlarmHandle | undefined;
  #children: ScopeList | undefined;
  #cancellation: Cancellation | undefined;
  #listeners: CancelListeners | undefined;
  #cleanups: Cleanup[] | undefined;
  #holds = 0;
  #closed = false;

  constructor(
    readonly tree: ScopeTree,
    readonly parent: ScopeNode | undefined,
    readonly kind: ScopeKind,
    public name: string,
    readonly layer: Layer,
    readonly startedAt: number,
  ) {
    if (!parent) return;
    if (parent.#cancellation && kind !== 'cleanup') this.#cancellation = parent.#cancellation;
    else (parent.#children ??= new ScopeList()).add(this);
  }

  get signal(): AbortSignal {
    return (this.#listeners ??= new CancelListeners()).signal(this.#cancellation);
  }

  get deadline(): number {
    return this.tree.isSuspended() ? Infinity : firstToExpire(this).#ownDeadline;
  }

  get ownDeadline(): number {
    return this.#ownDeadline;
  }

  get timeoutMs(): number {
    return this.#ownDeadline - this.startedAt;
  }

  budgetMs(): number {
    if (this.#cancellation) return 0;
    return Math.max(0, this.deadline - this.tree.clock.now());
  }

  get reason(): CancelReason | undefined {
    return this.#cancellation?.reason;
  }

  get cancellation(): Cancellation | undefined {
    return this.#cancellation;
  }

  get closed(): boolean {
    return this.#closed;
  }

  get children(): ScopeList {
    return (this.#children ??= new ScopeList());
  }

  get error(): CancelledError | undefined {
    return this.#cancellation?.error;
  }

  throwIfCancelled(): void {
    if (this.expireIfOverdue()) throw this.error;
  }

  cancel(reason: CancelReason = 'explicit', detail?: string | ReachedLimit): boolean {
    if (this.#cancellation || this.#closed) return false;
    if (this.kind === 'application' && reason !== 'shutdown') return false;
    this.#cancellation = new Cancellation(this, reason, this.tree.clock.now(), detail);
    // Marked before anybody is told, so that no listener can start work in a half-cancelled tree.
    const cancelled: ScopeNode[] = [this];
    for (const scope of cancelled) scope.#spread(cancelled);
    inTurns(cancelled, (scope) => scope.#tell());
    return true;
  }

  setDeadline(duration: Duration): boolean {
    const ms = parseDuration(duration, 'setDeadline');
    return this.#move(this.tree.clock.now() + ms);
  }

  extend(duration: Duration): boolean {
    return this.#move(this.#ownDeadline + parseDuration(duration, 'extend'));
  }

  clearDeadline(): boolean {
    return this.#move(Infinity);
  }

  defer(cleanup: Cleanup): void {
    if (!this.#closed || this.#cleanups) (this.#cleanups ??= []).push(cleanup);
    else void attempt(cleanup, (error) => warn(`Cleanup of ${this.name} failed`, error));
  }

  /** Limits the scope to `ms` after its start, however much of that is gone. */
  limitFromStart(ms: number, now?: number): void {
    this.moveDeadline(this.startedAt + ms, now);
  }

  /** Moves the scope's own deadline without asking whether it has passed. */
  moveDeadline(instant: number, now?: number): void {
    if (this.#cancellation || this.#closed) return;
    this.#ownDeadline = instant;
    this.#disarm();
    if (instant !== Infinity) this.#arm(instant, now);
  }

  /** Calls `listener` once when the scope is cancelled; at once if it was. */
  onCancel(listener: () => void): () => void {
    if (!this.#cancellation) return (this.#listeners ??= new CancelListeners()).add(listener);
    listener();
    return () => {};
  }

  /** Cancels the scope if its deadline has passed unnoticed, as while the event loop is blocked. */
  expireIfOverdue(): boolean {
    if (this.#cancellation) return true;
    const now = this.tree.clock.now();
    // oxlint-disable-next-line typescript/no-this-alias
    let scope: ScopeNode | undefined = this;
    for (; scope; scope = limitedBy(scope)) if (scope.#ownDeadline <= now) return this.#expire();
    return false;
  }

  ring(): void {
    this.#alarm = undefined;
    if (this.tree.isSuspended()) this.#arm(this.tree.clock.now() + SUSPENDED_RECHECK_MS);
    else this.expireIfOverdue();
  }

  /** Keeps the scope in flight, cancelled or closed, until as many `release` calls. */
  hold(): void {
    this.#holds++;
  }

  release(): void {
    this.#holds--;
    this.#leaveIfSettled();
  }

  get hasCleanups(): boolean {
    return this.#cleanups !== undefined;
  }

  /** The cleanup to run now; after the last, `defer` runs them at once. */
  nextCleanup(): Cleanup | undefined {
    const cleanup = this.#cleanups?.pop();
    if (!cleanup) this.#cleanups = undefined;
    return cleanup;
  }

  /** Ends the scope, with one outcome. */
  close(ending?: Ending): void {
    if (this.#closed) return;
    const heard = this.tree.hears((this.#cancellation ?? ending?.limit) !== undefined);
    const outcome = heard ? outcomeOf(this, ending) : undefined;
    this.seal();
    if (outcome) this.tree.tellOutcome(outcome);
    // A keep-alive socket holds on to the async context it was opened in, and so to this scope.
    // Only late work still asks its edge, which starts nothing any more.
    if (!this.#cancellation) this.edge = undefined;
    this.#leaveIfSettled();
  }

  /** The work is over: no deadline and no cancel any more. */
  seal(): void {
    this.#closed = true;
    this.#disarm();
    if (!this.#cancellation) this.#listeners?.clear();
    this.#ownDeadline = Infinity;
  }

  #move(instant: number): boolean {
    if (this.kind === 'application' || this.#closed || this.expireIfOverdue()) return false;
    this.moveDeadline(instant);
    return true;
  }

  #arm(instant: number, now?: number): void {
    this.#alarm = this.tree.clock.at(instant, this, now);
  }

  #disarm(): void {
    this.#alarm?.cancel();
    this.#alarm = undefined;
  }

  #expire(): boolean {
    if (this.#closed || this.tree.isSuspended()) return false;
    const expired = firstToExpire(this);
    return !expired.edge?.outgrewDeadline() && expired.cancel('deadline');
  }

  #spread(cancelled: ScopeNode[]): void {
    this.#disarm();
    for (const child of this.#children ?? []) {
      // A cleanup has a limit of its own, and is what must still happen after a cancel.
      if (child.#cancellation || child.kind === 'cleanup') continue;
      child.#cancellation = this.#cancellation!.reaching(child);
      cancelled.push(child);
    }
  }

  #tell(): void {
    try {
      if (!this.#closed) this.edge?.onCancel(this.#cancellation!);
    } catch (error) {
      warn(`Answering the cancel of ${this.name} failed`, error);
    }
    this.#listeners?.tell(this.#cancellation!);
  }

  #leaveIfSettled(): void {
    if (!this.#closed || this.#holds > 0 || (this.#children && this.#children.size > 0)) return;
    const { parent } = this;
    if (parent && parent.#children?.delete(this)) parent.#leaveIfSettled();
  }
}
