import { policyOf } from '../core/lineage.js';
import type { ScopeNode } from '../core/scope-node.js';

/** PostgreSQL takes no more, and reads 0 as "no limit". */
const MAX_MS = 2_147_483_647;

/** Above this, a budget is rounded up to tens: the same words for the server serve many queries. */
const FINE_MS = 1_000;

/** How long a statement may take, and who says so. */
export interface StatementLimit {
  readonly ms: number;
  readonly of: 'statement' | 'budget';
}

/** The statement limit in force or what is left of the budget, whichever is less. */
export function limitIn(scope: ScopeNode, now: number): StatementLimit | undefined {
  const statementMs = policyOf(scope)?.statementMs ?? Infinity;
  const budgetMs = scope.deadline - now;
  if (statementMs < budgetMs) return { ms: statementMs, of: 'statement' };
  return budgetMs === Infinity ? undefined : { ms: inSteps(budgetMs), of: 'budget' };
}

function inSteps(ms: number): number {
  return ms > FINE_MS ? Math.ceil(ms / 10) * 10 : ms;
}

/** Milliseconds as a setting of PostgreSQL: whole, never 0. */
export function settingMs(ms: number): number {
  return Math.min(MAX_MS, Math.max(1, Math.ceil(ms)));
}
