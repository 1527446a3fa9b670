import type { Layer } from './errors.js';
import type { ScopeNode } from './scope-node.js';

/** What the time of a scope is lost on. */
export interface Blame {
  readonly layer: Layer;
  /** What is said of a deadline that passes meanwhile. */
  message(timeoutMs: number): string;
}

interface Blamed {
  readonly blame: Blame;
  count: number;
}

const blamed = new WeakMap<ScopeNode, Blamed>();

/**
 * A deadline of `scope` that passes from now on is put down to `blame`: the scope's own timer knows no
 * better than to name the handler. To be taken back as many times.
 */
export function putBlame(scope: ScopeNode, blame: Blame): void {
  const known = blamed.get(scope);
  if (known) known.count++;
  else blamed.set(scope, { blame, count: 1 });
}

export function takeBackBlame(scope: ScopeNode): void {
  const known = blamed.get(scope);
  if (known && --known.count === 0) blamed.delete(scope);
}

export function blameOf(scope: ScopeNode): Blame | undefined {
  return blamed.get(scope)?.blame;
}
