import type { CancelledError } from '../core/errors.js';
import { abandonRequest } from './abandoned-request.js';
import type { HttpExchange } from './http-exchange.js';
import { ignoreLateWrites } from './late-writes.js';
import { sendPlain } from './plain-answer.js';
import { problemOf } from './problem.js';
import { isBodyUnread } from './request-body.js';

/** Headers that describe the answer which is not coming. What is said about the connection, the caller or the request stays. */
const STALE_HEADERS = new Set([
  'accept-ranges',
  'age',
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-length',
  'content-location',
  'content-md5',
  'content-range',
  'content-type',
  'etag',
  'expires',
  'last-modified',
  'location',
  'pragma',
  'refresh',
  'set-cookie',
  'trailer',
  'transfer-encoding',
]);

const RETRY_AFTER_SECONDS = '1';

/**
 * Answers on the Node response itself, below any framework, and makes that the last word: it works
 * whether a filter asks for it or a guard hangs.
 */
export function answerWithProblem(exchange: HttpExchange, error: CancelledError): void {
  const { req, res, reply } = exchange;
  const problem = problemOf(error, exchange);
  if (reply) {
    for (const [name, value] of Object.entries(reply.getHeaders())) {
      if (value !== undefined && !res.hasHeader(name)) res.setHeader(name, value);
    }
    reply.hijack();
  }
  for (const name of res.getHeaderNames()) if (STALE_HEADERS.has(name)) res.removeHeader(name);
  res.setHeader('x-request-id', problem.requestId);
  if (problem.status === 503) res.setHeader('retry-after', RETRY_AFTER_SECONDS);
  if (isBodyUnread(req)) abandonRequest(req, res, error);
  const { status } = problem;
  sendPlain(req, res, { status, type: 'application/problem+json', body: problem });
  ignoreLateWrites(res);
}
