/**
 * Use of the connections of one PostgreSQL data source, replicas included. What is counted is counted
 * by `withDeadlines()`; without it, those numbers stay 0. Times are in milliseconds.
 */
export interface PoolUse {
  /** What the data source is called: `default` unless it was given a name. */
  readonly name: string;
  /** Connections, in use and not. */
  readonly total: number;
  readonly idle: number;
  /** Callers that wait for a connection right now. */
  readonly waiting: number;
  /** Callers that had to wait for a connection. */
  readonly waits: number;
  /** How long those that got one had waited, all together. */
  readonly waitedMs: number;
  /** Callers that gave up waiting. */
  readonly abandoned: number;
  /** Cancel requests sent to the server. */
  readonly cancelsSent: number;
  /** Connections held back right now until a cancelled query is over. */
  readonly gatesHeld: number;
  /** Connections destroyed because they could not be handed on safely. */
  readonly dropped: number;
}
