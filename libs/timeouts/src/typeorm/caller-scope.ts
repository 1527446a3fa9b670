import { currentNode, enteredScope, enterScope } from '../core/current-scope.js';
import type { ScopeNode } from '../core/scope-node.js';

/** The scope that the running code is in; undefined where it is in none, as at boot. */
export function scopeOfCaller(): ScopeNode | undefined {
  return enteredScope() && currentNode();
}

/** Runs `fn` in `scope`, or in none: pg calls back in the context of whoever made the connection. */
export function runIn<A extends unknown[], R>(
  scope: ScopeNode | undefined,
  fn: (...args: A) => R,
  ...args: A
): R {
  if (enteredScope() === scope) return fn(...args);
  return enterScope(scope as ScopeNode, fn, ...args);
}
