import type { Cancellation } from './cancellation.js';

/** The transport that opened a scope; told first when the scope is cancelled. */
export interface ScopeEdge {
  onCancel(cancellation: Cancellation): void;
  /** Asked when the deadline is over: true when it no longer applies, as for an answer under way. */
  outgrewDeadline(): boolean;
}
