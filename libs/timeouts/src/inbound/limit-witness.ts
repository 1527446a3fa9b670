import type { ExceptionFilter } from '@nestjs/common';
import { Catch } from '@nestjs/common';
import { limitBehind } from '../core/limit-errors.js';
import { currentExchange } from './current-exchange.js';

/** Nothing; but Nest asks, and by that the request has a record of what it failed with. */
class NotedLimit {
  static [Symbol.hasInstance](error: unknown): boolean {
    const limit = limitBehind(error);
    const exchange = limit && currentExchange();
    if (exchange) exchange.limit = limit;
    return false;
  }
}

@Catch(NotedLimit)
class LimitWitness implements ExceptionFilter {
  catch(error: unknown): void {
    throw error;
  }
}

/**
 * Put before the exception filters of a route, it sees what guards, pipes, interceptors and the
 * handler fail with also where a filter of the application answers.
 */
export const limitWitness = new LimitWitness();
