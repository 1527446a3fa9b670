import { CancelQueue } from './cancel-queue.js';
import type { EngineSettings } from './engine-settings.js';
import { LimitPrefix } from './limit-prefix.js';
import { emptyPoolStats } from './pool-stats.js';
import { SessionLimits } from './session-limits.js';

/** What the connections of one pool share. */
export class EngineContext {
  readonly stats = emptyPoolStats();
  readonly session = new SessionLimits();
  readonly cancels: CancelQueue;
  readonly prefix: LimitPrefix;
  /** False once the server did not know a statement of ours, as behind a transaction pooler. */
  keepsStatements = true;
  /** Off only to prove what it is for: without it, cancels hit whoever comes next. */
  isGated = true;

  constructor(readonly settings: EngineSettings) {
    this.cancels = new CancelQueue(settings.maxCancels);
    this.prefix = new LimitPrefix(settings.lockMs);
  }
}
