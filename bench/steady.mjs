import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { serve } from './harness/child.mjs';
import { quantile } from './harness/table.mjs';

const PATIENCE_MS = 5_000;

/** Polite clients: so many requests per second, sent on time whether the answers come or not. */
class SteadyLoad {
  #agent = new Agent({ keepAlive: true });
  #latencies = [];
  #failures = 0;
  #running = [];
  #isOver = false;

  constructor(url, rate) {
    this.url = url;
    this.done = this.#send(1_000 / rate);
  }

  async stop() {
    this.#isOver = true;
    await this.done;
    await Promise.all(this.#running);
    this.#agent.destroy();
    return {
      count: this.#latencies.length,
      failures: this.#failures,
      p50: quantile(this.#latencies, 0.5),
      p99: quantile(this.#latencies, 0.99),
    };
  }

  async #send(everyMs) {
    for (let due = performance.now(); !this.#isOver; due += everyMs) {
      const early = due - performance.now();
      if (early > 0) await sleep(early);
      this.#running.push(this.#ask(due));
    }
  }

  /** Counted from when it was due: a client that cannot even send waits as well. */
  #ask(due) {
    return new Promise((resolve) => {
      const end = (ok) => {
        if (ok) this.#latencies.push(performance.now() - due);
        else this.#failures++;
        resolve();
      };
      const sent = request(this.url, { agent: this.#agent, timeout: PATIENCE_MS }, (response) => {
        response.resume();
        response.once('end', () => end(response.statusCode === 200));
        response.once('error', () => end(false));
      });
      sent.once('timeout', () => sent.destroy(new Error('No answer')));
      sent.once('error', () => end(false));
      sent.end();
    });
  }
}

let load;

serve({
  start({ url, rate }) {
    load = new SteadyLoad(url, rate);
  },

  stop: () => load.stop(),
});
