import { addAbortSignal, Readable } from 'node:stream';
import type { Observable as ObservableType } from 'rxjs';
import { isObservable, Observable } from 'rxjs';
import { currentNode, enterScope } from '../core/current-scope.js';
import { BoundIterator } from '../core/bound-iterator.js';

/** What {@link bindScope} takes. */
export type Bindable = AsyncIterable<unknown> | ObservableType<unknown> | Readable;

/**
 * Ties a source that is consumed elsewhere to the scope of the code that made it: whatever it runs
 * sees that scope, and it ends with it. An iterable rejects with the scope's error and its `finally`
 * runs; an Observable errors and is unsubscribed; a Node stream is destroyed.
 *
 * @example
 * return bindScope(tokens(prompt)); // the generator's body sees the request's scope
 */
export function bindScope<T extends Bindable>(source: T): T {
  const scope = currentNode();
  if (isObservable(source)) {
    const bound = new Observable<unknown>((subscriber) => {
      subscriber.add(scope.onCancel(() => subscriber.error(scope.error)));
      if (!subscriber.closed) enterScope(scope, () => source.subscribe(subscriber));
    });
    return bound as unknown as T;
  }
  if (source instanceof Readable) {
    addAbortSignal(scope.signal, source);
    return source;
  }
  return new BoundIterator(scope, source as AsyncIterable<unknown>) as unknown as T;
}
