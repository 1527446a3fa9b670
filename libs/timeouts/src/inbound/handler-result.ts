import { StreamableFile } from '@nestjs/common';
import { isObservable } from 'rxjs';
import type { HttpExchange } from './http-exchange.js';
import { endWithScope, untilCancelled } from './until-cancelled.js';

/** Whether Nest sends `result` piece by piece. */
function isStream(result: object): boolean {
  return (
    result instanceof StreamableFile || result instanceof Response || Symbol.asyncIterator in result
  );
}

/** Ties a handler's Observable to its exchange; what Nest streams itself ends with the response. */
export function adoptResult(result: unknown, exchange: HttpExchange): unknown {
  if (typeof result !== 'object' || result === null) return result;
  const isEventStream = exchange.target?.isEventStream ?? false;
  if (isEventStream || isStream(result)) {
    exchange.watchStream();
    exchange.outgrewDeadline();
  }
  if (!isObservable(result)) return result;
  return result.pipe(isEventStream ? endWithScope(exchange.scope) : untilCancelled(exchange));
}
