import { AsyncLocalStorage } from 'node:async_hooks';
import type { Clock } from './clock.js';
import type { OutcomeListener } from './outcome.js';
import type { Scope } from './scope.js';
import type { ScopePolicy } from './scope-edge.js';
import { ScopeNode } from './scope-node.js';
import { ScopeTree } from './scope-tree.js';
import { systemClock } from './system-clock.js';

const storage = new AsyncLocalStorage<ScopeNode>();

function openRoot(name: string, tree: ScopeTree): ScopeNode {
  return new ScopeNode(tree, undefined, 'application', name, 'job', tree.clock.now());
}

const background = openRoot('background', new ScopeTree(systemClock));

/** Applications in the order they opened; work outside any request belongs to the newest. */
const applications: ScopeNode[] = [];

/** What an application's scope tree is made with. */
export interface ApplicationScopeOptions {
  readonly clock?: Clock;
  readonly listeners?: readonly OutcomeListener[];
  readonly isSuspended?: () => boolean;
  /** For work outside requests, such as tasks that outlive theirs. */
  readonly policy?: ScopePolicy;
}

/** Opens the root of one application's tree. Cancelling it is shutting the application down. */
export function openApplicationScope(options: ApplicationScopeOptions = {}): ScopeNode {
  const tree = new ScopeTree(options.clock ?? systemClock, options.isSuspended);
  for (const listener of options.listeners ?? []) tree.listen(listener);
  const scope = openRoot('application', tree);
  const { policy } = options;
  if (policy) scope.edge = { policy, onCancel() {}, outgrewDeadline: () => false };
  applications.push(scope);
  return scope;
}

/** The application is gone: work outside any request belongs to the one opened before it. */
export function closeApplicationScope(scope: ScopeNode): void {
  const index = applications.indexOf(scope);
  if (index >= 0) applications.splice(index, 1);
  scope.close();
}

export function currentNode(): ScopeNode {
  const scope = storage.getStore();
  if (scope && !scope.closed) return scope;
  return openAncestor(scope) ?? applications.at(-1) ?? background;
}

/**
 * The scope of the code that asks. Outside any request it is the application's own, which only
 * shutdown cancels, so there is always one. Work that goes on after its request was answered is in
 * the application's scope too; after its request was cancelled it stays in the cancelled one.
 *
 * @example
 * const left = currentScope().budgetMs();
 */
export const currentScope: () => Scope = currentNode;

function openAncestor(scope: ScopeNode | undefined): ScopeNode | undefined {
  let candidate = scope;
  while (candidate?.closed && !candidate.cancellation) candidate = candidate.parent;
  return candidate;
}

/** The scope that a transport opened around the running code; undefined outside any. */
export function enteredScope(): ScopeNode | undefined {
  return storage.getStore();
}

/** The application scope that `scope` hangs from. */
export function rootOf(scope: ScopeNode): ScopeNode {
  let root = scope;
  while (root.parent) root = root.parent;
  return root;
}

/** Runs `fn` and everything it starts inside `scope`. */
export const enterScope: <A extends unknown[], R>(
  scope: ScopeNode,
  fn: (...args: A) => R,
  ...args: A
) => R = storage.run.bind(storage);

/** A scope below `parent`, with its own limit if one is given. */
export function openScope(
  parent: ScopeNode,
  kind: ScopeNode['kind'],
  name: string,
  timeoutMs = Infinity,
  layer = parent.layer,
): ScopeNode {
  const now = parent.tree.clock.now();
  const scope = new ScopeNode(parent.tree, parent, kind, name, layer, now);
  if (timeoutMs !== Infinity) scope.limitFromStart(timeoutMs, now);
  return scope;
}
