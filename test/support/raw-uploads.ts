import type { INestApplication } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';

type Done = (error: null) => void;

interface FastifyParsers {
  addContentTypeParser(
    type: string,
    parse: (request: unknown, payload: unknown, done: Done) => void,
  ): void;
}

/** The content type that no parser reads, so that handlers do it themselves. */
export const RAW = 'Content-Type: application/octet-stream';

/** Fastify refuses what it has no parser for. */
export function leaveRawBodies(app: INestApplication): void {
  const adapter = app.getHttpAdapter();
  if (adapter.getType() !== 'fastify') return;
  const fastify = adapter.getInstance() as FastifyParsers;
  fastify.addContentTypeParser('application/octet-stream', (_request, _payload, done) =>
    done(null),
  );
}

/** The request of either framework. */
export type AnyRequest = IncomingMessage & { readonly raw?: IncomingMessage };

/** Node's own request. */
export function rawOf(request: AnyRequest): IncomingMessage {
  return request.raw ?? request;
}
