import type { Cancellation } from './cancellation.js';

/** Limits for what is done inside a scope, kept to by those who do it. */
export interface ScopePolicy {
  /** For one SQL statement; `Infinity` for none. */
  readonly statementMs: number;
}

/** The transport that opened a scope; told first when the scope is cancelled. */
export interface ScopeEdge {
  readonly policy: ScopePolicy;
  onCancel(cancellation: Cancellation): void;
  /** Asked when the deadline is over: true when it no longer applies, as for an answer under way. */
  outgrewDeadline(): boolean;
  /** Told when the application begins to drain. */
  onDrain?(): void;
}
