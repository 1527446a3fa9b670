import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ScopeTree } from '../core/scope-tree.js';
import { warn } from '../core/scope-tree.js';
import { makeLastAnswer } from './last-answer.js';
import { answerOverloaded, tellOverloaded } from './overload-answer.js';
import type { PlainAnswer } from './plain-answer.js';
import { sendPlain } from './plain-answer.js';
import { pathOf } from './problem.js';
import type { Shedding } from './shedding.js';

/** Gives the answer to whoever asks on its path. */
export type Probe = () => PlainAnswer | Promise<PlainAnswer>;

/**
 * Answers what needs no work: probes, and requests that are turned away. No scope is opened for them,
 * and no middleware, parser, guard or access log hears of them, whatever the framework.
 */
export class FrontDoor {
  readonly #probes = new Map<string, Probe>();

  constructor(
    readonly tree: ScopeTree,
    readonly shedding: Shedding | undefined,
  ) {}

  /** @returns false when the path is taken. */
  addProbe(path: string, probe: Probe): boolean {
    if (this.#probes.has(path)) return false;
    this.#probes.set(path, probe);
    return true;
  }

  /** @returns whether the request is dealt with, so that nobody else must hear of it. */
  takes(req: IncomingMessage, res: ServerResponse): boolean {
    const probe = this.#probes.size > 0 ? this.#probeFor(req) : undefined;
    if (probe) {
      void this.#answer(probe, req, res);
      return true;
    }
    if (!this.shedding?.refuses()) return false;
    answerOverloaded(req, res);
    tellOverloaded(this.tree);
    return true;
  }

  #probeFor({ method, url }: IncomingMessage): Probe | undefined {
    if (method !== 'GET' && method !== 'HEAD') return undefined;
    return this.#probes.get(pathOf(url!));
  }

  async #answer(probe: Probe, req: IncomingMessage, res: ServerResponse): Promise<void> {
    try {
      const answer = await probe();
      if (this.tree.isDraining) makeLastAnswer(res);
      sendPlain(req, res, answer);
    } catch (error) {
      warn(`The probe ${req.url} could not be answered`, error);
      res.statusCode = 500;
      res.end();
    }
  }
}
