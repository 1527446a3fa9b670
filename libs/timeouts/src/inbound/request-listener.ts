import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { enterScope } from '../core/current-scope.js';
import { exchangeOf } from './exchange-of.js';
import type { FrameworkReply } from './framework-reply.js';
import { HttpExchange } from './http-exchange.js';
import type { Inbound } from './inbound.js';
import { closeWithConnection } from './pipelined.js';

const inboundOfServer = new WeakMap<Server, Inbound>();

/**
 * Opens a scope around everything the server does for a request: `emit` is the one place that
 * middleware, body parsers, guards and handlers all run inside of, whatever the framework.
 * @returns false when this server's requests have scopes already.
 */
export function openScopesFor(server: Server, inbound: Inbound): boolean {
  if (inboundOfServer.has(server)) return false;
  inboundOfServer.set(server, inbound);
  const emit = server.emit as (this: Server, event: string, ...args: unknown[]) => boolean;
  const deliver = (event: string, req: IncomingMessage, res: ServerResponse): boolean =>
    emit.call(server, event, req, res);
  server.emit = function (
    this: Server,
    event: string,
    req: IncomingMessage,
    res: ServerResponse,
    ...more: unknown[]
  ): boolean {
    if (event !== 'request' && event !== 'checkContinue' && event !== 'checkExpectation') {
      return emit.call(this, event, req, res, ...more);
    }
    const { scope } = exchangeOf(res) ?? new HttpExchange(inbound, req, res);
    if (res.socket === null) closeWithConnection(res, req.socket);
    return enterScope(scope, deliver, event, req, res);
  } as Server['emit'];
  return true;
}

/** What is used of a Fastify instance. */
export interface FastifyHooks {
  addHook(
    name: 'onRequest',
    hook: (request: { raw: IncomingMessage }, reply: FrameworkReply, done: () => void) => void,
  ): void;
}

/** Notes Fastify's reply, and opens a scope for what `inject()` sends past the server. */
export function openScopesInFastify(fastify: FastifyHooks, inbound: Inbound): void {
  fastify.addHook('onRequest', (request, reply, done) => {
    const known = exchangeOf(reply.raw);
    const exchange = known ?? new HttpExchange(inbound, request.raw, reply.raw);
    exchange.reply = reply;
    if (known) done();
    else enterScope(exchange.scope, done);
  });
}
