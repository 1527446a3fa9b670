import type { ArgumentsHost, ExceptionFilter } from '@nestjs/common';
import { Catch } from '@nestjs/common';
import { CancelledError } from '../core/errors.js';
import { limitBehind } from '../core/limit-errors.js';
import { breakOff } from './connection-end.js';
import { exchangeOf } from './exchange-of.js';
import { answerMessage } from './message-answer.js';
import { answerWithProblem } from './problem-answer.js';

/** A cancellation, or what an operation failed with because of a limit of ours. */
class OursToAnswer {
  static [Symbol.hasInstance](error: unknown): boolean {
    return error instanceof CancelledError || limitBehind(error) !== undefined;
  }
}

/**
 * Answers cancelled requests, and those that failed with the limit of an operation, with a problem. A
 * filter that the application registers for the same error replaces it. A client that left gets no
 * answer. Messages are answered as their transport does it.
 */
@Catch(OursToAnswer)
export class ProblemFilter implements ExceptionFilter {
  catch(error: unknown, host: ArgumentsHost): unknown {
    if (host.getType() !== 'http') return answerMessage(error, host);
    const exchange = exchangeOf(host.getArgByIndex(1));
    if (!exchange) throw error;
    if (exchange.isClientGone || exchange.res.writableEnded) return undefined;
    const limit = limitBehind(error);
    // Middleware fails outside of any route.
    exchange.limit ??= limit;
    if (exchange.res.headersSent) breakOff(exchange.res);
    else answerWithProblem(exchange, limit ?? (error as CancelledError));
    return undefined;
  }
}
