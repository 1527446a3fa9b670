/** What waits for its answer. */
export interface Unanswered {
  answerCancel(): void;
}

/** Answers written in a row before the event loop gets a turn. */
const ANSWERS_PER_TURN = 32;

/**
 * Where thousands of requests end at the same time, their answers take far longer than their
 * cancels. The first are written at once; the rest wait here, behind whatever else the loop has to do.
 */
export class AnswerQueue {
  #waiting: Unanswered[] = [];
  #thisTurn = 0;
  #isScheduled = false;

  add(exchange: Unanswered): void {
    if (this.#thisTurn++ < ANSWERS_PER_TURN) exchange.answerCancel();
    else this.#waiting.push(exchange);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#nextTurn());
  }

  #nextTurn(): void {
    this.#isScheduled = false;
    this.#thisTurn = 0;
    if (this.#waiting.length === 0) return;
    const rest = this.#waiting.splice(ANSWERS_PER_TURN);
    const due = this.#waiting;
    this.#waiting = rest;
    this.#thisTurn = due.length;
    this.#schedule();
    for (const exchange of due) exchange.answerCancel();
  }
}
