import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ScopeTree } from '../core/scope-tree.js';
import { abandonRequest } from './abandoned-request.js';
import { UNROUTED } from './inbound.js';
import { makeLastAnswer } from './last-answer.js';
import { sendPlain } from './plain-answer.js';
import type { Problem } from './problem.js';
import { pathOf, requestIdOf } from './problem.js';
import { isBodyUnread } from './request-body.js';

const MAX_RETRY_AFTER_SECONDS = 3;

/** What a request that is turned away has failed with. Nobody throws it. */
const OVERLOADED = Object.assign(new Error('There is more to do than can be done in time'), {
  name: 'OverloadedError',
  code: 'overloaded',
});
OVERLOADED.stack = `${OVERLOADED.name}: ${OVERLOADED.message}`;

/** Sends the client elsewhere, or back later. */
export function answerOverloaded(req: IncomingMessage, res: ServerResponse): void {
  const requestId = requestIdOf({ req, res });
  const body: Problem = {
    type: 'about:blank',
    title: 'Service Unavailable',
    status: 503,
    detail: OVERLOADED.message,
    instance: pathOf(req.url!),
    code: OVERLOADED.code,
    layer: 'handler',
    elapsedMs: 0,
    requestId,
  };
  // Those who are turned away together must not come back together.
  res.setHeader('retry-after', 1 + Math.floor(Math.random() * MAX_RETRY_AFTER_SECONDS));
  res.setHeader('x-request-id', requestId);
  makeLastAnswer(res);
  if (isBodyUnread(req)) abandonRequest(req, res, OVERLOADED);
  sendPlain(req, res, { status: 503, type: 'application/problem+json', body });
}

export function tellOverloaded(tree: ScopeTree): void {
  if (!tree.hears(false)) return;
  tree.tellOutcome({
    kind: 'request',
    name: UNROUTED,
    result: 'failed',
    layer: 'handler',
    durationMs: 0,
    budgetMs: Infinity,
    timeoutMs: Infinity,
    loopDelayMs: 0,
    late: false,
    status: 503,
    error: OVERLOADED,
    cleanupErrors: [],
  });
}
