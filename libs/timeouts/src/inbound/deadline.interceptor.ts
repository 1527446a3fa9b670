import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import { Injectable } from '@nestjs/common';
import type { Observable } from 'rxjs';
import { exchangeOf } from './exchange-of.js';
import { untilCancelled } from './until-cancelled.js';

/** Bounds pipes and handler by the request's scope; `enforcement: 'interceptor'` puts it on every route. */
@Injectable()
export class DeadlineInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const exchange =
      context.getType() === 'http' ? exchangeOf(context.getArgByIndex(1)) : undefined;
    if (!exchange) return next.handle();
    return next.handle().pipe(untilCancelled(exchange));
  }
}
