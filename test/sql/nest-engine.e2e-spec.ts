import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Get } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { Client } from 'pg';
import { Deadline, PoolWaitTimeoutError } from 'nestjs-timeouts';
import { withDeadlines } from 'nestjs-timeouts/typeorm';
import { DataSource } from 'typeorm';
import type { TestApp } from '../support/app.js';
import { closeApps, startApp, STACKS } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { call, expectProblem } from '../support/http-client.js';
import { RawConnection, rawRequest } from '../support/raw-connection.js';
import { RecordingLogger } from '../support/recording-logger.js';
import { ownTimeOf } from './fixtures/own-time.js';
import { ACTIVE, IN_TRANSACTION, usePostgres } from './fixtures/postgres.js';

const LIMIT = 150;
const CAP = 100;
const LOCK = 100;
const API = 'api';
const SLEEP = 'SELECT pg_sleep(10)';

@Controller()
class QueriesController {
  constructor(readonly database: DataSource) {}

  @Get('query')
  query() {
    return this.database.query(SLEEP);
  }

  @Get('tx')
  transaction() {
    return this.database.transaction((manager) => manager.query(SLEEP));
  }

  @Get('parallel')
  parallel() {
    return Promise.all([1, 2, 3].map(() => this.database.query(SLEEP)));
  }

  @Deadline({ statement: LIMIT })
  @Get('limited')
  limited() {
    return this.database.query(SLEEP);
  }

  @Deadline({ statement: LIMIT })
  @Get('limited-utility')
  utility() {
    return this.database.query(`DO $$ BEGIN PERFORM pg_sleep(10); END $$`);
  }

  @Deadline(LIMIT)
  @Get('tight')
  tight() {
    return this.database.query('SELECT 1 AS n');
  }

  @Get('capped')
  async capped() {
    try {
      return await this.database.query('SELECT 1 AS n');
    } catch (error) {
      if (error instanceof PoolWaitTimeoutError && error.overloaded) throw error;
      return { error: String(error) };
    }
  }

  @Deadline({ statement: '10s' })
  @Get('locked')
  locked() {
    return this.database.transaction((manager) => manager.query('LOCK TABLE taken'));
  }
}

const postgres = usePostgres();

describe.each(STACKS)('requests with SQL on $adapter with $enforcement', (stack) => {
  const logger = new RecordingLogger();
  let test: TestApp;
  let held: (() => Promise<void>) | undefined;

  const ask = (path: string) => call(`${test.url}${path}`);
  const pool = () => test.monitor.snapshot().pools[0]!;
  const requests = async () => {
    await eventually(() => test.monitor.snapshot().inFlight.length === 0, 'the end');
    return test.outcomes.filter(({ kind }) => kind === 'request');
  };

  /** Takes all three connections of the pool until it is told to give them back. */
  async function exhaust(): Promise<void> {
    const runners = Array.from({ length: 3 }, () => test.app.get(DataSource).createQueryRunner());
    await Promise.all(runners.map((runner) => runner.connect()));
    held = async () => void (await Promise.all(runners.map((runner) => runner.release())));
  }

  async function lock(): Promise<void> {
    const client = new Client({ connectionString: postgres.url });
    await client.connect();
    await client.query('BEGIN; LOCK TABLE taken');
    held = () => client.end();
  }

  beforeAll(async () => {
    await postgres.query('CREATE TABLE IF NOT EXISTS taken ()');
    const options = withDeadlines(
      { type: 'postgres', url: postgres.url, applicationName: API, extra: { max: 3 } },
      { poolWait: CAP + LIMIT, lock: LOCK },
    );
    test = await startApp(stack, {
      controllers: [QueriesController],
      imports: [TypeOrmModule.forRoot(options)],
      nest: { logger },
      options: { handler: '5s' },
    });
  });
  beforeEach(() => {
    test.outcomes.length = 0;
    logger.entries.length = 0;
  });
  afterEach(async () => {
    await held?.();
    held = undefined;
    // Whatever happened: nothing runs, nothing is open, and the pool is whole.
    await postgres.until(API, 0, ACTIVE, ...IN_TRANSACTION);
    await eventually(() => pool().idle === pool().total && pool().gatesHeld === 0, 'a whole pool');
    await eventually(() => logger.at('error', 'fatal').length === 0, 'a log without errors');
  });
  afterAll(closeApps);

  it.each(['query', 'tx', 'parallel'])('Q07 ends with a client that left: %s', async (name) => {
    const client = await RawConnection.open(test.port);
    client.send(rawRequest('GET', `/${name}`));
    await postgres.until(API, name === 'parallel' ? 3 : 1, ACTIVE);
    const stoppedAfter = await ownTimeOf(() => {
      client.leave();
      return postgres.until(API, 0, ACTIVE);
    });

    expect(stoppedAfter).toBeLessThan(250);
    expect(await requests()).toMatchObject([{ result: 'disconnect', status: 499 }]);
  });

  it.each(['limited', 'limited-utility'])(
    'Q10 a statement timeout outside a transaction is a 504 of its layer: %s',
    async (name) => {
      const problem = expectProblem(await ask(`/${name}`), LIMIT);

      expect(problem).toMatchObject({
        detail: 'Statement did not complete within 150ms',
        code: 'statement_timeout',
        layer: 'statement',
        timeoutMs: LIMIT,
      });
      expect(problem['elapsedMs']).toBeGreaterThanOrEqual(LIMIT);
      expect(await requests()).toMatchObject([{ result: 'deadline', layer: 'statement' }]);
    },
  );

  it('Q10 a budget that was spent waiting for a connection is a 504 of the pool', async () => {
    await exhaust();

    const problem = expectProblem(await ask('/tight'), LIMIT);

    expect(problem).toMatchObject({
      title: 'Gateway Timeout',
      detail: 'No database connection was free within 150ms',
      code: 'pool_timeout',
      layer: 'pool',
      timeoutMs: LIMIT,
    });
    expect(await requests()).toMatchObject([{ result: 'deadline', layer: 'pool', status: 504 }]);
    expect(test.monitor.snapshot().counters).toContainEqual({
      layer: 'pool',
      reason: 'deadline',
      route: 'GET /tight',
      count: 1,
    });
    expect(pool()).toMatchObject({ waiting: 0, idle: 0 });
  });

  it('Q10 a pool cap that is shorter than the budget is a 503 to try again', async () => {
    await exhaust();

    const answer = await ask('/capped');

    const problem = expectProblem(answer, CAP + LIMIT, 503);
    expect(answer.headers['retry-after']).toMatch(/^\d+$/);
    expect(problem).toMatchObject({
      title: 'Service Unavailable',
      detail: 'No database connection was free within 250ms',
      code: 'pool_timeout',
      layer: 'pool',
      timeoutMs: CAP + LIMIT,
    });
    expect(await requests()).toMatchObject([{ result: 'deadline', layer: 'pool', status: 503 }]);
  });

  it('Q10 a lock that is not free within its limit is a 503 to try again', async () => {
    await lock();

    const answer = await ask('/locked');

    const problem = expectProblem(answer, LOCK, 503);
    expect(answer.headers['retry-after']).toMatch(/^\d+$/);
    expect(problem).toMatchObject({
      detail: 'Statement waited 100ms for a lock',
      code: 'lock_timeout',
      layer: 'statement',
      timeoutMs: LOCK,
    });
  });

  it('Q05 what is in time is answered', async () => {
    for (let round = 0; round < 5; round++) {
      const answers = await Promise.all([1, 2, 3].map(() => ask('/capped')));

      for (const { status, body } of answers) expect([status, body]).toEqual([200, '[{"n":1}]']);
    }
  });
});
