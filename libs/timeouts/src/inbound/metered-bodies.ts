import { failBody } from './abandoned-request.js';
import { BodyWatch } from './body-watch.js';
import type { HttpExchange } from './http-exchange.js';
import { http2StreamOf } from './http2-stream.js';
import { isBodyUnread } from './request-body.js';

/** The events of a server that a request comes with. */
export type RequestEvent = 'request' | 'checkContinue' | 'checkExpectation';

/** One timer for all that come meanwhile; far below any limit, and far above what a small body takes. */
const FIRST_LOOK_MS = 10;

/** Those that nobody has looked at yet. */
let arriving: HttpExchange[] = [];

/**
 * Holds the body of a request that has just begun to its limits. Most bodies come along with their
 * head, so alarms are only set for those that are not complete at the first look.
 */
export function meterBody(exchange: HttpExchange, event: RequestEvent): void {
  if (!isBodyUnread(exchange.req)) return;
  exchange.bodyWatch = new BodyWatch(exchange);
  failWithStream(exchange);
  if (event === 'checkContinue') {
    beginWithContinue(exchange, exchange.bodyWatch);
    return;
  }
  if (arriving.push(exchange) === 1) setTimeout(beginArriving, FIRST_LOOK_MS);
}

function beginArriving(): void {
  const exchanges = arriving;
  arriving = [];
  for (const exchange of exchanges) {
    if (!isBodyUnread(exchange.req)) continue;
    exchange.inbound.routes.enter(exchange);
    exchange.bodyWatch!.begin(exchange.scope.startedAt);
  }
}

/** Node ends the body of an HTTP/2 request whose client leaves as if it were complete. */
function failWithStream({ req, bodyWatch }: HttpExchange): void {
  http2StreamOf(req)?.once('aborted', () => {
    if (bodyWatch!.isComplete) return;
    failBody(req, Object.assign(new Error('aborted'), { code: 'ECONNRESET' }));
  });
}

/** The client sends nothing before it is told to, which is for the application to do. */
function beginWithContinue({ res, scope }: HttpExchange, watch: BodyWatch): void {
  const { writeContinue } = res;
  res.writeContinue = function (...args) {
    writeContinue.apply(this, args);
    watch.begin(scope.tree.clock.now());
  };
}
