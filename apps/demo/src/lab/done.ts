import { currentScope } from 'nestjs-timeouts';

export interface Done {
  readonly ok: true;
  /** Since the request arrived. */
  readonly elapsedMs: number;
}

export function done(): Done {
  return { ok: true, elapsedMs: Math.round(performance.now() - currentScope().startedAt) };
}
