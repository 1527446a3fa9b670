import type { GatewayServer } from './gateway-clients.js';

type Hear = (gateway: object, server: GatewayServer) => void;
type AfterInit = (this: object, server: GatewayServer) => unknown;

/** Where the servers of a class of gateways are told of, once they exist. */
const hearers = new WeakMap<object, Set<Hear>>();

/**
 * Tells `hear` of the servers of a gateway: its `afterInit` hook is the one place where Nest says
 * which they are.
 */
export function hearServersOf(gateway: Function, hear: Hear): () => void {
  const prototype = gateway.prototype as { afterInit?: AfterInit };
  let known = hearers.get(prototype);
  if (!known) {
    hearers.set(prototype, (known = new Set()));
    wrapAfterInit(prototype, known);
  }
  known.add(hear);
  return () => known.delete(hear);
}

function wrapAfterInit(prototype: { afterInit?: AfterInit }, known: ReadonlySet<Hear>): void {
  const { afterInit } = prototype;
  const value: AfterInit = function (server) {
    for (const hear of known) hear(this, server);
    return afterInit?.call(this, server);
  };
  Object.defineProperty(prototype, 'afterInit', { value, configurable: true, writable: true });
}
