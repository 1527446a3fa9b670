import { DeadlineExceededError } from '../core/errors.js';
import { noteLimit } from '../core/limit-errors.js';
import type { ScopeNode } from '../core/scope-node.js';
import { statementTimeout } from './sql-limits.js';

/** `query_canceled`, whoever cancelled it. */
const CANCELLED = '57014';

/** The server's clock and ours may differ by this much while a statement runs. */
const CLOCK_SLACK_MS = 1;

/** What is known of a transaction whose statements have a limit on the server. */
export class LimitedTransaction {
  /** What setting the limit failed with. */
  failure: unknown;
  #issued = 0;
  #startedAt = 0;

  constructor(
    readonly scope: ScopeNode,
    public limitMs: number,
  ) {}

  /** @param scope that of the code which issues the next statement. */
  refuseIfOver(scope = this.scope): void {
    if (this.failure !== undefined) throw this.failure;
    scope.throwIfCancelled();
  }

  statementIssued(): void {
    // What is issued while another one runs starts when that one has ended.
    if (this.#issued++ === 0) this.#startedAt = performance.now();
  }

  statementEnded(error: unknown, scope = this.scope): void {
    const now = performance.now();
    const elapsedMs = now - this.#startedAt;
    this.#issued--;
    this.#startedAt = now;
    if (!isCancelledByServer(error) || elapsedMs < this.limitMs - CLOCK_SLACK_MS) return;
    noteLimit(error, this.#limitReached(elapsedMs, scope));
  }

  #limitReached(elapsedMs: number, scope: ScopeNode): DeadlineExceededError {
    // A limit that is what was left of the budget: the deadline itself has passed.
    if (scope.expireIfOverdue() && scope.error instanceof DeadlineExceededError) return scope.error;
    return statementTimeout({ scope, timeoutMs: this.limitMs, elapsedMs });
  }
}

function isCancelledByServer(error: unknown): error is object {
  return (error as { code?: unknown } | undefined)?.code === CANCELLED;
}
