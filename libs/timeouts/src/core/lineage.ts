import type { ScopePolicy } from './scope-edge.js';
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

/** The policy in force inside `scope`: that of the closest edge around it. */
export function policyOf(scope: ScopeNode): ScopePolicy | undefined {
  let around: ScopeNode | undefined = scope;
  while (around && !around.edge) around = around.parent;
  return around?.edge?.policy;
}
