import { enterScope } from '../core/current-scope.js';
import { abandonRequest } from './abandoned-request.js';
import type { Unanswered } from './answer-queue.js';
import { breakOff } from './connection-end.js';
import type { HttpExchange } from './http-exchange.js';
import { ignoreLateWrites, ignoreWritesAfterEnd } from './late-writes.js';
import { answerWithProblem } from './problem-answer.js';
import { problemOf } from './problem.js';
import { isBodyUnread } from './request-body.js';

/** Answers a cancelled exchange, or breaks off the answer that was begun. */
export function answerCancel(exchange: HttpExchange): void {
  if (exchange.res.headersSent) {
    cutAnswer(exchange);
    return;
  }
  const { req, res, scope } = exchange;
  if (isBodyUnread(req)) abandonRequest(req, res, scope.error!);
  ignoreWritesAfterEnd(res);
  exchange.inbound.answers.add(new CancelAnswer(exchange));
}

/** There is no second status: the client must see that the answer is not whole. */
function cutAnswer(exchange: HttpExchange): void {
  const { res, scope, target } = exchange;
  const stream = exchange.watchStream();
  if (target?.isEventStream || stream.isEventStream)
    stream.sayLast(problemOf(scope.error!, exchange));
  else breakOff(res);
  ignoreLateWrites(res);
}

/** The answer to a cancel: by exception filters where Nest waits for something, or else by itself. */
class CancelAnswer implements Unanswered {
  constructor(readonly exchange: HttpExchange) {}

  /** Whoever noticed the cancel may belong to another request: filters must see this one's scope. */
  answerCancel(): void {
    const { exchange } = this;
    if (!exchange.isAnswered) enterScope(exchange.scope, () => this.#tell());
  }

  #tell(): void {
    const { exchange } = this;
    const { stream } = exchange;
    // Filters come after what the handler still does before it yields.
    if (stream) queueMicrotask(() => stream.release());
    if (exchange.tellNest()) exchange.wakeIn(exchange.inbound.backstopMs, () => this.#backstop());
    else this.#backstop();
  }

  #backstop(): void {
    const { exchange } = this;
    if (exchange.isAnswered) return;
    exchange.stream?.release();
    if (exchange.res.headersSent) cutAnswer(exchange);
    else answerWithProblem(exchange, exchange.scope.error!);
  }
}
