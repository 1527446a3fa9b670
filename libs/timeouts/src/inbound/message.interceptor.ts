import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import type { Subscriber } from 'rxjs';
import { Observable } from 'rxjs';
import { enterScope } from '../core/current-scope.js';
import { currentMessage } from './current-message.js';
import { isConnected } from './gateway-clients.js';
import { openGatewayMessage } from './gateway-message.js';
import type { MessageExchange } from './message-exchange.js';

/**
 * Bounds the handlers of messages. Nest has no other way to tell that the client of a WebSocket has
 * left than to unsubscribe what an interceptor gave.
 */
export class MessageInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const type = context.getType();
    if (type === 'ws') return overWebSocket(context, next);
    const message = type === 'rpc' ? currentMessage() : undefined;
    if (!message) return next.handle();
    return new Observable((subscriber) => bound(message, context, next, subscriber));
  }
}

function overWebSocket(context: ExecutionContext, next: CallHandler): Observable<unknown> {
  return new Observable((subscriber) => {
    const message = openGatewayMessage(context.getHandler());
    if (!message) {
      subscriber.add(next.handle().subscribe(subscriber));
      return;
    }
    subscriber.add(() => {
      // Nest unsubscribes when the client has left, an interceptor around this one when it pleases.
      const isLeft = !isConnected(context.getArgByIndex(0));
      if (!message.isSettled && (isLeft || !message.isAnswered)) {
        message.scope.cancel(isLeft ? 'disconnect' : 'explicit');
      }
      message.end();
    });
    bound(message, context, next, subscriber);
  });
}

function bound(
  message: MessageExchange,
  context: ExecutionContext,
  next: CallHandler,
  subscriber: Subscriber<unknown>,
): void {
  const { scope } = message;
  message.begin();
  const fail = (error: unknown) => subscriber.error(message.onError(error));
  subscriber.add(scope.onCancel(() => subscriber.error(message.exception)));
  if (subscriber.closed) return;
  try {
    const { resolve } = message.policy;
    if (resolve) message.enter(enterScope(scope, resolve, context));
  } catch (error) {
    fail(error);
    return;
  }
  const source = enterScope(scope, () => next.handle());
  const subscription = enterScope(scope, () =>
    source.subscribe({
      next(value) {
        if (scope.expireIfOverdue()) return;
        message.onValue();
        subscriber.next(value);
      },
      error(error) {
        if (!scope.expireIfOverdue()) fail(error);
      },
      complete() {
        if (scope.expireIfOverdue()) return;
        message.isSettled = true;
        subscriber.complete();
      },
    }),
  );
  subscriber.add(subscription);
}
