import type {
  EntitySubscriberInterface,
  QueryRunner,
  TransactionCommitEvent,
  TransactionRollbackEvent,
  TransactionStartEvent,
} from 'typeorm';
import { policyOf } from '../core/lineage.js';
import type { ScopeNode } from '../core/scope-node.js';
import { scopeOfCaller } from './caller-scope.js';
import { hasEngine } from './data-source-kind.js';
import { LimitedTransaction } from './limited-transaction.js';
import { sessionStatementMs } from './session-statement-limit.js';

type AfterQueryEvent = Parameters<NonNullable<EntitySubscriberInterface['afterQuery']>>[0];
type BeforeQueryEvent = Parameters<NonNullable<EntitySubscriberInterface['beforeQuery']>>[0];

const MAX_STATEMENT_MS = 2 ** 31 - 1;

/**
 * Begins every transaction of a PostgreSQL data source with `SET LOCAL statement_timeout`: the
 * statement timeout in force, or what is left of the budget where that is less; never more than the
 * `statement_timeout` that the session has. In a transaction whose scope was cancelled, the next
 * statement is refused and the transaction rolled back. Outside any scope, on other databases and
 * where {@link withDeadlines} is at work it does nothing.
 *
 * `TimeoutsModule` registers it with every data source it finds among the providers. Add it yourself
 * only to one that is no provider.
 *
 * @example
 * await dataSource.initialize();
 * dataSource.subscribers.push(new StatementTimeoutSubscriber());
 */
export class StatementTimeoutSubscriber implements EntitySubscriberInterface {
  readonly #transactions = new WeakMap<QueryRunner, LimitedTransaction>();

  /** Never fails: TypeORM would give a connection back to its pool with the transaction open. */
  async afterTransactionStart({ dataSource, queryRunner }: TransactionStartEvent): Promise<void> {
    const scope = scopeOfCaller();
    if (!scope || !isOutermost(queryRunner)) return;
    if (dataSource.options.type !== 'postgres' || hasEngine(dataSource)) return;
    const limitMs = statementLimitMs(scope);
    if (limitMs === Infinity) return;
    const transaction = new LimitedTransaction(scope, limitMs);
    this.#transactions.set(queryRunner, transaction);
    try {
      const sessionMs = await sessionStatementMs(dataSource, queryRunner);
      transaction.limitMs = Math.min(limitMs, sessionMs);
      await queryRunner.query(`SET LOCAL statement_timeout = ${transaction.limitMs}`);
    } catch (error) {
      transaction.failure = error;
    }
  }

  /** @throws what `SET LOCAL` failed with, or the cancellation of the scope. */
  beforeQuery({ query, queryRunner }: BeforeQueryEvent): void {
    const transaction = this.#transactions.get(queryRunner);
    if (!transaction) return;
    if (!isRollback(query)) transaction.refuseIfOver(scopeOfCaller());
    transaction.statementIssued();
  }

  /** Only the record of when it ran tells this timeout from a cancel by somebody else. */
  afterQuery({ queryRunner, error }: AfterQueryEvent): void {
    this.#transactions.get(queryRunner)?.statementEnded(error, scopeOfCaller());
  }

  afterTransactionCommit({ queryRunner }: TransactionCommitEvent): void {
    this.#forgetIfOver(queryRunner);
  }

  afterTransactionRollback({ queryRunner }: TransactionRollbackEvent): void {
    this.#forgetIfOver(queryRunner);
  }

  #forgetIfOver(queryRunner: QueryRunner): void {
    if (!queryRunner.isTransactionActive) this.#transactions.delete(queryRunner);
  }
}

/** A whole number that PostgreSQL takes, for which 0 would be no limit; `Infinity` for none. */
function statementLimitMs(scope: ScopeNode): number {
  const limitMs = Math.min(policyOf(scope)?.statementMs ?? Infinity, scope.budgetMs());
  if (limitMs === Infinity) return Infinity;
  return Math.min(Math.max(1, Math.ceil(limitMs)), MAX_STATEMENT_MS);
}

/** The events of a nested transaction, which is a savepoint, are the same. */
function isOutermost(queryRunner: QueryRunner): boolean {
  return (queryRunner as unknown as { transactionDepth: number }).transactionDepth === 1;
}

function isRollback(query: string): boolean {
  return query.startsWith('ROLLBACK');
}
