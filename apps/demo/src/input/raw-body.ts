import type { IncomingMessage } from 'node:http';
import { createParamDecorator } from '@nestjs/common';
import type { ExecutionContext, INestApplication } from '@nestjs/common';
import type { FastifyInstance } from 'fastify';

const RAW = 'application/octet-stream';
const RAW_PATHS: ReadonlySet<string> = new Set(['/lab/echo', '/lab/bulk', '/v1/documents']);

/** The request as it arrives: nothing has been read from it, nothing is kept of it. */
export const RawBody = createParamDecorator((_: unknown, context: ExecutionContext) => {
  const request = context.switchToHttp().getRequest<IncomingMessage & { raw?: IncomingMessage }>();
  return request.raw ?? request;
});

/** Keeps the body parsers of either adapter away from the routes that read the stream themselves. */
export function keepRawBodies(app: INestApplication): void {
  app.use((request: IncomingMessage, _response: unknown, next: () => void) => {
    const path = request.url?.split('?', 1)[0] ?? '';
    if (RAW_PATHS.has(path)) request.headers['content-type'] = RAW;
    next();
  });
  const adapter = app.getHttpAdapter();
  if (adapter.getType() !== 'fastify') return;
  // Fastify refuses a type that no parser takes; this one takes it and leaves it unread.
  const fastify = adapter.getInstance() as FastifyInstance;
  fastify.addContentTypeParser(RAW, (_request, _body, parsed) => parsed(null));
}
