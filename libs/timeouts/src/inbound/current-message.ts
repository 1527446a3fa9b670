import { enteredScope } from '../core/current-scope.js';
import { MessageExchange } from './message-exchange.js';

/** The exchange of the message that the running code belongs to. */
export function currentMessage(): MessageExchange | undefined {
  let scope = enteredScope();
  while (scope && !scope.edge) scope = scope.parent;
  return scope?.edge instanceof MessageExchange ? scope.edge : undefined;
}
