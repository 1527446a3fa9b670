import type { MonoTypeOperatorFunction, Observer, Subscriber } from 'rxjs';
import { Observable, takeUntil } from 'rxjs';
import type { ScopeNode } from '../core/scope-node.js';
import { discardResult } from './discard-result.js';
import type { HttpExchange } from './http-exchange.js';

/** The subscriber that a cancel is handed to, so that it reaches the exception filters. */
export type CancelCarrier = Pick<Subscriber<unknown>, 'closed' | 'error' | 'unsubscribe'>;

/**
 * Ends the source when the exchange is cancelled, and errors with the cancellation; for a client
 * that left it is silent, because neither filters nor interceptors need to hear of that. A source
 * whose request is over is not subscribed, and what it gives after that is not let through.
 */
export function untilCancelled<T>(exchange: HttpExchange): MonoTypeOperatorFunction<T> {
  const { scope } = exchange;
  return (source) =>
    new Observable<T>((subscriber) => {
      if (scope.expireIfOverdue()) {
        if (scope.reason !== 'disconnect') subscriber.error(scope.error);
        return;
      }
      if (!exchange.isCarried) exchange.carrier = subscriber;
      const inTime = new InTime(exchange, subscriber);
      subscriber.add(inTime);
      subscriber.add(source.subscribe(inTime));
    });
}

/** Lets through what comes before the deadline. */
class InTime<T> implements Observer<T> {
  constructor(
    readonly exchange: HttpExchange,
    readonly subscriber: Subscriber<T>,
  ) {}

  next(value: T): void {
    if (this.exchange.scope.expireIfOverdue()) discardResult(value);
    else this.subscriber.next(this.exchange.adopt(value) as T);
  }

  error(error: unknown): void {
    this.exchange.carrierSettled(error);
    if (!this.exchange.scope.expireIfOverdue()) this.subscriber.error(error);
  }

  complete(): void {
    this.exchange.carrierSettled();
    if (!this.exchange.scope.expireIfOverdue()) this.subscriber.complete();
  }

  unsubscribe(): void {
    this.exchange.carrierGone();
  }
}

/** Ends a stream of events with the scope, quietly: the answer itself tells the client why. */
export function endWithScope<T>(scope: ScopeNode): MonoTypeOperatorFunction<T> {
  const cancelled = new Observable<void>((subscriber) => scope.onCancel(() => subscriber.next()));
  return takeUntil(cancelled);
}
