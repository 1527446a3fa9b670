/**
 * What a pool of {@link withDeadlines} has done since it was made. A plain object that is kept up to
 * date; read it whenever you like. Times are in milliseconds.
 */
export interface PoolStats {
  /** Callers that wait for a connection right now. */
  waiting: number;
  /** Callers that had to wait for a connection. */
  waits: number;
  /** How long those that got one had waited, all together. */
  waitedMs: number;
  /** Callers that gave up: cancelled, out of budget, or past `poolWait`. */
  abandoned: number;
  /** Cancel requests sent to the server. */
  cancelsSent: number;
  /** Connections that are held back right now until a cancelled query is over. */
  gatesHeld: number;
  /** Connections that were destroyed because they could not be handed on safely. */
  dropped: number;
}

export function emptyPoolStats(): PoolStats {
  return {
    waiting: 0,
    waits: 0,
    waitedMs: 0,
    abandoned: 0,
    cancelsSent: 0,
    gatesHeld: 0,
    dropped: 0,
  };
}
