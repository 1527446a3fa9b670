import type { ExceptionFilter } from '@nestjs/common';
import { Catch } from '@nestjs/common';
import { EXCEPTION_FILTERS_METADATA } from '@nestjs/common/internal';
import { currentExchange } from './current-exchange.js';
import { exchangeOf } from './exchange-of.js';
import { noteLate } from './late-writes.js';
import { limitWitness } from './limit-witness.js';

type ErrorHandler = (
  this: unknown,
  error: unknown,
  req: unknown,
  res: unknown,
  next: unknown,
) => unknown;

/** The part of an HTTP adapter that hears of errors outside routes. */
export interface ErrorLayer {
  setErrorHandler?(handler: ErrorHandler, prefix?: string): unknown;
}

/**
 * Whatever fails once the cancel was answered, or the client has left. Where a route goes on without
 * its client, what the work fails with matters: its scope ended uncancelled, and has no exchange.
 */
class HeardByNobody {
  static [Symbol.hasInstance](): boolean {
    const exchange = currentExchange();
    if (!exchange) return false;
    return exchange.isOver || exchange.isClientGone;
  }
}

/** A guard or pipe that failed late was late work; that of the handler is told of already. */
@Catch(HeardByNobody)
class Silence implements ExceptionFilter {
  catch(error: unknown): void {
    const { res, scope } = currentExchange()!;
    noteLate(res, error === scope.error ? undefined : error);
  }
}

const silence = new Silence();

/** Keeps errors of a route whose client has left from its exception filters, and so from the log. */
export function silenceRoute(handler: Function): void {
  const declared = Reflect.getMetadata(EXCEPTION_FILTERS_METADATA, handler) as
    unknown[] | undefined;
  // Nest asks the last one first.
  const filters = [...(declared ?? []), limitWitness, silence];
  Reflect.defineMetadata(EXCEPTION_FILTERS_METADATA, filters, handler);
}

/** The same for what fails before a route is reached, such as a body parser in mid-upload. */
export function silenceErrorLayer(layer: ErrorLayer): void {
  const { setErrorHandler } = layer;
  if (!setErrorHandler) return;
  layer.setErrorHandler = function (handler, prefix) {
    // Express tells error handlers by their number of parameters.
    const handling: ErrorHandler = function (error, req, res, next) {
      const exchange = exchangeOf(res);
      if (exchange?.isOver) return noteLate(exchange.res, error);
      if (exchange?.isClientGone) return undefined;
      return handler.call(this, error, req, res, next);
    };
    return setErrorHandler.call(this, handling, prefix);
  };
}
