export { withDeadlines } from './with-deadlines.js';
export { isDeadlinePool } from './deadline-pool.js';
export type { DeadlinePool } from './deadline-pool.js';
export type { DatabaseSettings } from './engine-settings.js';
export type { PoolStats } from './pool-stats.js';
export { StatementTimeoutSubscriber } from './statement-timeout.subscriber.js';
