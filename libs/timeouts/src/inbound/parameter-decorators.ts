import { createParamDecorator } from '@nestjs/common';
import { currentScope } from '../core/current-scope.js';

/**
 * The `AbortSignal` of the request: aborted when its deadline passes, its client leaves or the server
 * goes down, with the `CancelledError` as its reason.
 *
 * @example
 * @Get()
 * list(@CancelSignal() signal: AbortSignal) {
 *   return fetch(upstream, { signal });
 * }
 */
export const CancelSignal = createParamDecorator(() => currentScope().signal);

/**
 * The request's {@link Scope}.
 *
 * @example
 * @Get()
 * budget(@CurrentScope() scope: Scope) {
 *   return { budgetMs: scope.budgetMs() };
 * }
 */
export const CurrentScope = createParamDecorator(() => currentScope());
