import type { ArgumentsHost, ExceptionFilter } from '@nestjs/common';
import { Catch } from '@nestjs/common';
import { CancelledError } from '../core/errors.js';
import { breakOff } from './connection-end.js';
import { exchangeOf } from './exchange-of.js';
import { answerWithProblem } from './problem-answer.js';

/**
 * Answers cancelled requests with a problem. A filter that the application registers for the same
 * error replaces it. A client that left gets no answer.
 */
@Catch(CancelledError)
export class ProblemFilter implements ExceptionFilter {
  catch(error: CancelledError, host: ArgumentsHost): void {
    const exchange = host.getType() === 'http' ? exchangeOf(host.getArgByIndex(1)) : undefined;
    if (!exchange) throw error;
    if (exchange.isClientGone || exchange.res.writableEnded) return;
    if (exchange.res.headersSent) breakOff(exchange.res);
    else answerWithProblem(exchange, error);
  }
}
