import type { Ending } from '../core/outcome.js';
import { limitBehind } from '../core/limit-errors.js';
import { endScopeDetached, tellIfLate } from '../core/run-scoped.js';
import type { ScopeEdge } from '../core/scope-edge.js';
import { ScopeNode } from '../core/scope-node.js';
import type { RoutePolicy } from '../policy/route-policy.js';
import type { MessageTransport } from './message-answer.js';
import { messageException } from './message-answer.js';

type Handler = (...args: unknown[]) => unknown;

/** One message of a microservice or gateway: opens its scope, bounds its handlers, and ends it. */
export class MessageExchange implements ScopeEdge {
  readonly scope: ScopeNode;
  isAnswered = false;
  /** The handlers have said all they had to say. */
  isSettled = false;
  #begun = false;
  #streamEnd = Infinity;
  #running = 0;
  #ended = false;
  #error: unknown;

  constructor(
    root: ScopeNode,
    readonly transport: MessageTransport,
    name: string,
    public policy: RoutePolicy,
  ) {
    const { tree } = root;
    const now = tree.clock.now();
    this.scope = new ScopeNode(tree, root, 'message', name, 'handler', now);
    this.scope.edge = this;
    this.scope.subject = 'Handler';
    if (policy.handlerMs !== Infinity) this.scope.limitFromStart(policy.handlerMs, now);
  }

  /** What a policy that is a function says of this message; measured from its start. */
  enter(policy: RoutePolicy): void {
    this.policy = policy;
    this.scope.limitFromStart(policy.handlerMs);
  }

  /** Runs a handler, unless the message is over: pipes may have taken all of its time. */
  run(handler: Handler, self: unknown, args: unknown[]): unknown {
    if (this.scope.expireIfOverdue()) throw this.exception;
    const result = handler.apply(self, args);
    if (isThenable(result)) {
      this.#running++;
      result.then(
        () => this.#settled(),
        (error) => this.#settled(error),
      );
    }
    return result;
  }

  /** The answer to a message that was cancelled. */
  get exception(): Error {
    return messageException(this.transport, this.scope.error!);
  }

  begin(): void {
    this.#begun = true;
  }

  /** From the first one on, the limits of a stream hold. */
  onValue(): void {
    const isFirst = !this.isAnswered;
    this.isAnswered = true;
    if (this.#isEndless) return;
    const { scope } = this;
    const { idleMs, totalMs } = this.policy.stream;
    const now = scope.tree.clock.now();
    if (isFirst) this.#streamEnd = now + totalMs;
    scope.moveDeadline(Math.min(now + idleMs, this.#streamEnd), now);
  }

  get #isEndless(): boolean {
    const { idleMs, totalMs } = this.policy.stream;
    return idleMs === Infinity && totalMs === Infinity;
  }

  /** @returns what the error of a handler is to the caller. */
  onError(error: unknown): unknown {
    this.isSettled = true;
    this.#error = error;
    return messageException(this.transport, error);
  }

  /** The subscribers around the handlers are told separately: an event may have several. */
  onCancel(): void {
    this.isSettled = true;
  }

  outgrewDeadline(): boolean {
    return this.isAnswered && this.#isEndless;
  }

  /** The transport is done with the message; handlers that go on are late. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    const { scope } = this;
    if (this.#running > 0) scope.hold();
    // The answer is sent in this turn of the event loop, and not before the transport may be closed.
    if (scope.tree.isDraining) {
      scope.hold();
      setImmediate(() => scope.release());
    }
    endScopeDetached(scope, this.#ending());
  }

  #ending(): Ending {
    const error = this.#error;
    const failed = error !== undefined || !this.#begun;
    return { failed, error, limit: limitBehind(error), late: this.#running > 0 };
  }

  #settled(error?: unknown): void {
    this.#running--;
    tellIfLate(this.scope, error);
    if (this.#ended && this.#running === 0) this.scope.release();
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | undefined | null)?.then === 'function';
}
