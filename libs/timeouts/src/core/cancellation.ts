import type { Blame } from './blame.js';
import { blameOf } from './blame.js';
import { formatDuration } from './duration.js';
import type { CancelReason, Layer } from './errors.js';
import { CancelledError, DeadlineExceededError } from './errors.js';
import type { ScopeNode } from './scope-node.js';

/** A limit that is watched by somebody else than the scope that it cancels. */
export interface ReachedLimit {
  readonly layer: Layer;
  readonly timeoutMs: number;
  readonly message: string;
}

/** What is recorded when a scope is cancelled; every scope below it shares the record. */
export class Cancellation {
  readonly scopeName: string;
  readonly layer: Layer;
  readonly timeoutMs: number;
  readonly elapsedMs: number;
  /** How long after its deadline a blocked event loop let it be noticed, in milliseconds. */
  readonly loopDelayMs: number;
  readonly #message: string | undefined;
  readonly #blame: Blame | undefined;
  #error: CancelledError | undefined;

  constructor(
    /** The level that was cancelled, or whose deadline passed. */
    readonly origin: ScopeNode,
    readonly reason: CancelReason,
    /** The instant on the scope's clock. */
    readonly at: number,
    detail?: string | ReachedLimit,
  ) {
    const limit = typeof detail === 'object' ? detail : undefined;
    const isOwnDeadline = reason === 'deadline' && !limit;
    this.scopeName = origin.name;
    this.#blame = isOwnDeadline ? blameOf(origin) : undefined;
    const scopeLayer = this.#blame?.layer ?? origin.layer;
    this.layer = limit?.layer ?? (reason === 'shutdown' ? 'shutdown' : scopeLayer);
    this.timeoutMs = limit?.timeoutMs ?? (isOwnDeadline ? origin.timeoutMs : Infinity);
    this.elapsedMs = at - origin.startedAt;
    this.loopDelayMs = isOwnDeadline ? at - origin.ownDeadline : 0;
    this.#message = typeof detail === 'object' ? detail.message : detail;
  }

  /** The record of a scope below: its own, if its deadline came first and nobody noticed. */
  reaching(scope: ScopeNode): Cancellation {
    const overdue = this.reason === 'deadline' && scope.ownDeadline < this.at - this.loopDelayMs;
    return overdue ? new Cancellation(scope, 'deadline', this.at) : this;
  }

  get code(): string {
    if (this.reason === 'deadline') {
      return this.layer === 'caller' ? 'caller_deadline' : `${this.layer}_timeout`;
    }
    return CODES[this.reason];
  }

  get message(): string {
    if (this.#message !== undefined) return this.#message;
    if (this.reason === 'shutdown') return 'The server is shutting down';
    if (this.reason !== 'deadline') return `${this.scopeName} was cancelled: ${WORDS[this.reason]}`;
    if (this.#blame) return this.#blame.message(Math.round(this.timeoutMs));
    const { kind, subject = kind === 'request' ? 'Handler' : this.scopeName } = this.origin;
    return `${subject} did not complete within ${formatDuration(Math.round(this.timeoutMs))}`;
  }

  /** Made when somebody asks: most of the price of 10,000 disconnects would be their errors. */
  get error(): CancelledError {
    return (this.#error ??=
      this.reason === 'deadline' ? new DeadlineExceededError(this) : new CancelledError(this));
  }
}

const CODES = {
  disconnect: 'client_disconnected',
  shutdown: 'shutting_down',
  explicit: 'cancelled',
} as const;

const WORDS = {
  disconnect: 'the client disconnected',
  explicit: 'nobody needs its result any more',
} as const;
