import { Injectable } from '@nestjs/common';
import { all, currentScope, withDeadline } from 'nestjs-timeouts';
import { UpstreamClient } from '../upstream/upstream.client.js';

const SHARDS = ['shard-a', 'shard-b', 'shard-c'];

export interface SearchResult {
  readonly id: string;
  readonly title: string;
}

export interface SearchAnswer {
  readonly results: readonly SearchResult[];
  readonly partial: boolean;
  readonly missing: readonly string[];
}

@Injectable()
export class SearchService {
  constructor(private readonly upstream: UpstreamClient) {}

  /** Asks every shard at once, 800 ms each and 2 s in all, and answers what came in time. */
  async find(query: string, delaysMs: readonly number[]): Promise<SearchAnswer> {
    const ask = (shard: string, index: number) => () =>
      this.#ask(shard, query, delaysMs[index] ?? 0);
    const answers = await withDeadline('2s', () => all(SHARDS.map(ask)), { name: 'search' });
    const missing = SHARDS.filter((_, index) => !answers[index]);
    const results = answers.flatMap((answer) => answer ?? []);
    return { results, partial: missing.length > 0, missing };
  }

  async #ask(shard: string, q: string, delayMs: number): Promise<SearchResult[] | undefined> {
    const query = new URLSearchParams({ q, delayMs: String(delayMs) });
    try {
      return await withDeadline('800ms', () => this.#fetch(`/shards/${shard}?${query}`), {
        name: shard,
      });
    } catch {
      // A shard that is late or down is missing; but when the search itself is over, it is over.
      currentScope().throwIfCancelled();
      return undefined;
    }
  }

  async #fetch(path: string): Promise<SearchResult[]> {
    const response = await this.upstream.get(path);
    const answer = (await response.json()) as { results: SearchResult[] };
    return answer.results;
  }
}
