import { enteredScope } from '../core/current-scope.js';
import { HttpExchange } from './http-exchange.js';

/** The exchange of the request that the running code belongs to. */
export function currentExchange(): HttpExchange | undefined {
  let scope = enteredScope();
  while (scope && !scope.edge) scope = scope.parent;
  return scope?.edge instanceof HttpExchange ? scope.edge : undefined;
}
