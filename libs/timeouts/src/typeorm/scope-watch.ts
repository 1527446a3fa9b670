import type { ScopeNode } from '../core/scope-node.js';

/** The scopes whose cancel concerns a connection: one of them, nearly always. */
export class ScopeWatch {
  readonly #listener: () => void;
  #scope: ScopeNode | undefined;
  #stop: (() => void) | undefined;
  #others: Map<ScopeNode, () => void> | undefined;

  constructor(listener: () => void) {
    this.#listener = listener;
  }

  /** @param alone nothing of another scope is on its way, so that one need not be watched any more. */
  add(scope: ScopeNode, alone: boolean): void {
    if (scope === this.#scope) return;
    if (alone) this.clear();
    if (!this.#scope) {
      this.#scope = scope;
      this.#stop = scope.onCancel(this.#listener);
      return;
    }
    const others = (this.#others ??= new Map());
    if (!others.has(scope)) others.set(scope, scope.onCancel(this.#listener));
  }

  clear(): void {
    this.#stop?.();
    this.#scope = this.#stop = undefined;
    this.#others?.forEach((stop) => stop());
    this.#others = undefined;
  }
}
