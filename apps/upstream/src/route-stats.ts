import type { ServerResponse } from 'node:http';

interface Counts {
  open: number;
  finished: number;
  closedByCaller: number;
}

/** What came of every call, per route: the place to look whether work really stopped. */
export class RouteStats {
  readonly #counts: ReadonlyMap<string, Counts>;

  constructor(routes: readonly string[]) {
    this.#counts = new Map(
      routes.map((route) => [route, { open: 0, finished: 0, closedByCaller: 0 }]),
    );
  }

  /** Counts one call; the signal aborts when its caller leaves. */
  track(route: string, response: ServerResponse): AbortSignal {
    const counts = this.#counts.get(route)!;
    const caller = new AbortController();
    counts.open += 1;
    response.once('close', () => {
      counts.open -= 1;
      if (response.writableFinished) {
        counts.finished += 1;
        return;
      }
      counts.closedByCaller += 1;
      caller.abort();
    });
    return caller.signal;
  }

  snapshot(): Record<string, Counts> {
    return Object.fromEntries(this.#counts);
  }
}
