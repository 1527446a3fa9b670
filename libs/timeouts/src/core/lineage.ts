import type { ScopeNode } from './scope-node.js';

/** The scope whose limits hold for `scope` too; a cleanup is free of those around it. */
export function limitedBy(scope: ScopeNode): ScopeNode | undefined {
  return scope.kind === 'cleanup' ? undefined : scope.parent;
}

/** The outermost of those whose deadline comes first: with it, the others are over too. */
export function firstToExpire(scope: ScopeNode): ScopeNode {
  let first = scope;
  for (let outer = limitedBy(scope); outer; outer = limitedBy(outer)) {
    if (outer.ownDeadline <= first.ownDeadline) first = outer;
  }
  return first;
}
