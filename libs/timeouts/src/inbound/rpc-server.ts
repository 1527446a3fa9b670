import { enterScope } from '../core/current-scope.js';
import type { ScopeNode } from '../core/scope-node.js';
import type { RoutePolicy } from '../policy/route-policy.js';
import { MessageExchange } from './message-exchange.js';

type StartHook = (transport: unknown, context: object, done: () => unknown) => unknown;
type EndHook = (transport: unknown, context: object) => void;

/** The server of a microservice. What Nest declares protected is there in all of its own. */
export interface RpcServer {
  readonly transportId?: unknown;
  readonly onProcessingStartHook?: StartHook;
  readonly onProcessingEndHook?: EndHook;
  setOnProcessingStartHook?(hook: StartHook): void;
  setOnProcessingEndHook?(hook: EndHook): void;
  getHandlers?(): ReadonlyMap<string, Function>;
  getHandlerByPattern?(pattern: string): Function | null;
  normalizePattern?(pattern: unknown): string;
  close(): unknown;
}

/** What a handler of messages was declared with. */
export interface MessagePatterns {
  readonly patterns: readonly unknown[];
  readonly policy: RoutePolicy;
}

/** Nest's own number for it. Its hooks tell the start and the end of a call by different objects. */
export const GRPC = 4;

const UNKNOWN = 'rpc (no pattern)';

/** Opens a scope for every message of a microservice, around guards, pipes and handlers. */
export class RpcMessages {
  readonly #open = new WeakMap<object, MessageExchange>();
  readonly #names = new WeakMap<Function, string>();

  constructor(
    readonly root: ScopeNode,
    readonly server: RpcServer,
    readonly policies: ReadonlyMap<string, RoutePolicy>,
    readonly defaults: RoutePolicy,
  ) {}

  static watch(
    root: ScopeNode,
    server: RpcServer,
    declared: readonly MessagePatterns[],
    defaults: RoutePolicy,
  ): void {
    if (!server.setOnProcessingStartHook || !server.setOnProcessingEndHook) return;
    if (server.transportId === GRPC) return;
    const policies = new Map<string, RoutePolicy>();
    for (const { patterns, policy } of declared) {
      for (const pattern of patterns) {
        const route = server.normalizePattern?.(pattern) ?? String(pattern);
        // The handlers of an event share its scope, so that the longest limit is that of all.
        const known = policies.get(route);
        if (!known || known.handlerMs < policy.handlerMs) policies.set(route, policy);
      }
    }
    new RpcMessages(root, server, policies, defaults).#hook();
  }

  #hook(): void {
    const { onProcessingStartHook: start, onProcessingEndHook: end } = this.server;
    this.server.setOnProcessingStartHook!((transport, context, done) => {
      const message = this.#begin(context);
      const inside = () => enterScope(message.scope, done);
      return start ? start.call(this.server, transport, context, inside) : inside();
    });
    this.server.setOnProcessingEndHook!((transport, context) => {
      this.#open.get(context)?.end();
      end?.call(this.server, transport, context);
    });
  }

  #begin(context: object): MessageExchange {
    const route = this.#routeOf(context);
    const policy = (route !== undefined && this.policies.get(route)) || this.defaults;
    const name = route === undefined ? UNKNOWN : `rpc ${route}`;
    const message = new MessageExchange(this.root, 'rpc', name, policy);
    this.#open.set(context, message);
    return message;
  }

  /** As it was declared: what callers send may be written in any number of ways, or be a topic. */
  #routeOf(context: object): string | undefined {
    const pattern = patternOf(context);
    const handler = pattern === undefined ? null : this.server.getHandlerByPattern?.(pattern);
    if (!handler) return undefined;
    let route = this.#names.get(handler);
    if (route === undefined) {
      for (const [name, found] of this.server.getHandlers?.() ?? []) this.#names.set(found, name);
      route = this.#names.get(handler);
    }
    return route;
  }
}

interface RpcContext {
  getPattern?(): string;
  getChannel?(): string;
  getSubject?(): string;
  getTopic?(): string;
}

function patternOf(context: RpcContext): string | undefined {
  return (
    context.getPattern?.() ??
    context.getTopic?.() ??
    context.getSubject?.() ??
    context.getChannel?.()
  );
}

/** A transport that is closed on its own, without the application, has its messages finish first. */
export function drainBeforeTransport(server: RpcServer, drain: () => Promise<void>): void {
  const { close } = server;
  server.close = async function (this: unknown): Promise<void> {
    await drain();
    await close.call(this);
  };
}
