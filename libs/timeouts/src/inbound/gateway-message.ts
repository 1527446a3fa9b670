import type { ScopeNode } from '../core/scope-node.js';
import type { RoutePolicy } from '../policy/route-policy.js';
import { MessageExchange } from './message-exchange.js';

interface GatewayHandler {
  readonly root: ScopeNode;
  readonly name: string;
  readonly policy: RoutePolicy;
}

/** By handler; several where a gateway is part of several applications of one process. */
const handlers = new WeakMap<Function, GatewayHandler[]>();

export function addGatewayHandler(method: Function, handler: GatewayHandler): void {
  const known = handlers.get(method)?.filter(({ root }) => !root.closed) ?? [];
  handlers.set(method, [...known, handler]);
}

/** Opens the scope of a message that `method` is to handle. */
export function openGatewayMessage(method: Function): MessageExchange | undefined {
  const handler = handlers.get(method)?.findLast(({ root }) => !root.closed);
  return handler && new MessageExchange(handler.root, 'ws', handler.name, handler.policy);
}
