import { setTimeout as wait } from 'node:timers/promises';
import type { ClientView } from 'nestjs-timeouts/testing';
import type { Urls } from '../launch/stack.js';
import { Database } from './database.js';

/* A busy machine is late; a deadline is never early. */
const LATE_BY_MS = 700;
const SEEN_WITHIN_MS = 2_000;

export interface Question {
  readonly path: string;
  readonly body?: unknown;
  /** Walk away after this long. */
  readonly leaveAfterMs?: number;
}

export interface Promised {
  readonly status: number | 'left' | 'reset';
  readonly afterMs?: number;
  /** What must be in the answer. */
  readonly body?: RegExp;
}

/** Asks, prints what came back after how long, and holds it against what was promised. */
export class Timeline {
  readonly database: Database;
  readonly #startedAt = performance.now();
  #broken = 0;

  constructor(readonly urls: Urls) {
    this.database = new Database(urls.database);
  }

  get broken(): number {
    return this.#broken;
  }

  chapter(title: string): void {
    console.log(`\n${title}`);
  }

  /** One request to the API. */
  async ask(what: string, question: Question, promised: Promised): Promise<void> {
    await this.#hold(what, question.path, promised, () => this.#send(question));
  }

  /** A client that does not behave: what it saw, and when it was rid of. */
  async meet(
    what: string,
    path: string,
    client: (url: string) => Promise<ClientView>,
    promised: Promised,
  ): Promise<void> {
    await this.#hold(what, path, promised, async () => {
      const { status, whole, ended, body } = await client(`${this.urls.api}${path}`);
      return { status: whole ? status! : ended, text: body };
    });
  }

  async #hold(
    what: string,
    path: string,
    promised: Promised,
    send: () => Promise<{ status: number | string; text: string }>,
  ): Promise<void> {
    const startedAt = performance.now();
    const { status, text } = await send();
    const afterMs = performance.now() - startedAt;
    const { afterMs: due = 0, body = /^/ } = promised;
    const onTime = afterMs >= due - 1 && afterMs <= due * 1.1 + LATE_BY_MS;
    const kept = status === promised.status && onTime && body.test(text);
    const answer = `${status} after ${(afterMs / 1_000).toFixed(2)} s`;
    this.#print(kept, `${what}: ${path.split('?')[0]} → ${answer}`);
    if (text) this.#detail(text);
    if (!kept) this.#detail(`promised: ${JSON.stringify({ ...promised, body: `${body}` })}`);
  }

  /** Something that must be seen elsewhere, soon. */
  async see(what: string, look: () => Promise<boolean>): Promise<void> {
    const startedAt = performance.now();
    let seen = await look();
    while (!seen && performance.now() - startedAt < SEEN_WITHIN_MS) {
      await wait(20);
      seen = await look();
    }
    const afterMs = Math.round(performance.now() - startedAt);
    this.#print(seen, `${what} (${seen ? `seen ${afterMs} ms later` : 'not seen'})`);
  }

  /** How many callers left the upstream's route before it was done. */
  async leftUpstream(route: string): Promise<number> {
    const response = await fetch(`${this.urls.upstream}/stats`);
    const stats = (await response.json()) as Record<string, { closedByCaller: number }>;
    return stats[route]?.closedByCaller ?? 0;
  }

  async #send({ path, body, leaveAfterMs }: Question) {
    const leaving = new AbortController();
    if (leaveAfterMs) setTimeout(() => leaving.abort(), leaveAfterMs);
    try {
      const response = await fetch(`${this.urls.api}${path}`, {
        signal: leaving.signal,
        ...(body === undefined ? {} : post(body)),
      });
      return { status: response.status, text: await response.text() };
    } catch (error) {
      if (leaving.signal.aborted) return { status: 'left' as const, text: '' };
      return { status: 'cut' as const, text: String((error as Error).cause ?? error) };
    }
  }

  #print(kept: boolean, line: string): void {
    if (!kept) this.#broken += 1;
    const at = ((performance.now() - this.#startedAt) / 1_000).toFixed(2).padStart(6);
    console.log(`${at} s  ${kept ? '✓' : '✗'} ${line}`);
  }

  #detail(text: string): void {
    const line = text.replaceAll(/\s+/g, ' ').trim();
    console.log(`            ${line.length > 160 ? `${line.slice(0, 157)}...` : line}`);
  }
}

function post(body: unknown): RequestInit {
  const json = JSON.stringify(body);
  return { method: 'POST', body: json, headers: { 'content-type': 'application/json' } };
}
