import type { PgClient } from './pg-classes.js';
import type { StatementLimit } from './statement-limit.js';
import { settingMs } from './statement-limit.js';

const LIMITS = [
  'statement_timeout',
  'lock_timeout',
  'idle_in_transaction_session_timeout',
  'transaction_timeout',
] as const;

type Limit = (typeof LIMITS)[number];

const QUESTION = `SELECT name, setting FROM pg_catalog.pg_settings WHERE name IN ('${LIMITS.join("', '")}')`;

/** Past the deadline by this much, only a process that hangs has not acted itself. */
const BACKSTOP_MS = 1_000;

/**
 * The limits that sessions of this role and database start with. Ours may tighten them, never loosen
 * them. Asked for once per pool; `transaction_timeout` is missing before PostgreSQL 17.
 */
export class SessionLimits {
  readonly #limits = new Map<Limit, number>();

  ask(client: PgClient): void {
    client.query(
      QUESTION,
      (error: unknown, result?: { rows: { name: Limit; setting: string }[] }) => {
        // Whoever cannot answer has no limits of its own to be kept to.
        if (error) return;
        for (const { name, setting } of result!.rows) this.#limits.set(name, Number(setting));
      },
    );
  }

  /** Whether the session's own limit comes first. */
  isStricter(name: Limit, ms: number): boolean {
    const own = this.#limits.get(name);
    return own !== undefined && own !== 0 && own <= ms;
  }

  /** What is set along with the start of a transaction, as statements that follow it. */
  forTransaction(limit: StatementLimit, budgetMs: number, lockMs: number): string {
    let text = '';
    const set = (name: Limit, ms: number): void => {
      if (!this.isStricter(name, ms)) text += `; SET LOCAL ${name} = ${settingMs(ms)}`;
    };
    set('statement_timeout', limit.ms);
    if (lockMs < limit.ms) set('lock_timeout', lockMs);
    if (budgetMs === Infinity) return text;
    // The one that newer servers have covers what the other one is for, and each is paid for.
    const backstop = this.#limits.has('transaction_timeout')
      ? 'transaction_timeout'
      : 'idle_in_transaction_session_timeout';
    set(backstop, budgetMs + BACKSTOP_MS);
    return text;
  }
}
