import type { ScopeNode } from './scope-node.js';

/**
 * The open children of a scope, oldest first. Every request enters and leaves the list of its
 * application, so the places are links in the scopes themselves: a Set costs several times as much.
 */
export class ScopeList implements Iterable<ScopeNode> {
  #first: ScopeNode | undefined;
  #last: ScopeNode | undefined;
  #size = 0;
  #emptyListeners: Set<() => void> | undefined;

  get size(): number {
    return this.#size;
  }

  add(scope: ScopeNode): void {
    const last = this.#last;
    this.#last = scope;
    this.#size++;
    if (last) {
      last.next = scope;
      scope.previous = last;
    } else {
      this.#first = scope;
    }
  }

  /** @returns false when the scope is not in this list, or not any more. */
  delete(scope: ScopeNode): boolean {
    const { previous, next } = scope;
    if (previous ? previous.next !== scope : this.#first !== scope) return false;
    if (previous) previous.next = next;
    else this.#first = next;
    if (next) next.previous = previous;
    else this.#last = previous;
    scope.previous = scope.next = undefined;
    this.#size--;
    if (this.#size === 0) this.#emptyListeners?.forEach((listener) => listener());
    return true;
  }

  /** Calls `listener` whenever the last one leaves. */
  onEmpty(listener: () => void): () => void {
    const listeners = (this.#emptyListeners ??= new Set());
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  *[Symbol.iterator](): Iterator<ScopeNode> {
    // The next one is looked up first, because the scope may leave while it is being looked at.
    for (let scope = this.#first, next; scope; scope = next) {
      next = scope.next;
      yield scope;
    }
  }
}
