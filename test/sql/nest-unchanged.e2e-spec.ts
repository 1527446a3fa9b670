import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { types } from 'pg';
import type { Pool } from 'pg';
import { withDeadlines } from 'nestjs-timeouts/typeorm';
import type { DataSourceOptions } from 'typeorm';
import { DataSource, MoreThan, QueryFailedError } from 'typeorm';
import { coverDataSource } from '../../libs/timeouts/src/typeorm/data-sources.js';
import { eventually } from '../support/eventually.js';
import { Author, Book, Label, LIBRARY } from './fixtures/library.js';
import { usePostgres } from './fixtures/postgres.js';
import { scoped } from './fixtures/scoped.js';
import { servers } from './fixtures/servers.js';

const DRIVERS: Readonly<Record<string, (options: DataSourceOptions) => DataSourceOptions>> = {
  'the plain driver': (options) => options,
  'the subscriber': (options) => options,
  'withDeadlines()': (options) => withDeadlines(options),
};

const SCOPES: Readonly<Record<string, <T>(fn: () => Promise<T>) => Promise<T>>> = {
  'no scope': (fn) => fn(),
  'a generous scope': (fn) => scoped({ budget: '60s', statement: '50s' }, fn),
};

const VARIANTS = Object.keys(DRIVERS).flatMap((driver) =>
  Object.keys(SCOPES).map((scope) => ({ driver, scope })),
);

/** What users rely on, word for word the same with every driver, in a scope and outside. */
describe.each(servers)('repositories on PostgreSQL $version', (server) => {
  const postgres = usePostgres(server);

  describe.each(VARIANTS)('with $driver in $scope', ({ driver, scope }) => {
    let source: DataSource;

    const within = SCOPES[scope]!;
    const pool = () => (source.driver as unknown as { master: Pool }).master;
    const books = () => source.getRepository(Book);
    const failure = (work: Promise<unknown>) =>
      work.then(
        () => undefined,
        (error: unknown) => error as QueryFailedError<Error & { code: string; detail?: string }>,
      );

    beforeAll(async () => {
      source = new DataSource(
        DRIVERS[driver]!({
          type: 'postgres',
          url: postgres.url,
          entities: LIBRARY,
          synchronize: true,
          dropSchema: true,
          extra: { max: 4 },
        }),
      );
      await source.initialize();
      if (driver !== 'the plain driver') coverDataSource(source, 'default');
    });
    afterEach(async () => {
      await source.query('TRUNCATE authors, books, labels CASCADE');
      // Nothing has kept a connection.
      await eventually(() => pool().idleCount === pool().totalCount, 'idle connections');
    });
    afterAll(() => source.destroy());

    it('Q13 create, read, update, delete', () =>
      within(async () => {
        const book = await books().save(books().create({ title: 'Emma', price: '9.90' }));
        expect(book).toMatchObject({ id: expect.any(Number), version: 1, price: '9.90' });

        book.title = 'Persuasion';
        expect(await books().save(book)).toMatchObject({ id: book.id, version: 2 });
        expect(await books().findOneByOrFail({ id: book.id })).toMatchObject({
          title: 'Persuasion',
        });
        expect(await books().update({ id: book.id }, { rating: 4.5 })).toMatchObject({
          affected: 1,
        });
        expect(await books().countBy({ rating: MoreThan(4) })).toBe(1);
        expect(await books().delete({ id: book.id })).toMatchObject({ affected: 1 });
        expect(await books().findOneBy({ id: book.id })).toBeNull();
        await expect(books().findOneByOrFail({ id: book.id })).rejects.toThrow('Could not find');
      }));

    it('Q13 types keep their forms', () =>
      within(async () => {
        const published = new Date('1815-12-23T10:00:00.123Z');
        const { id } = await books().save({
          title: 'ünï – 🙂',
          price: '1234567890.12',
          copies: '9007199254740993',
          rating: 0.1,
          meta: { nested: [1, 'two', null, { three: 3.5 }] },
          aliases: ['a,b', '"quoted"', ''],
          published,
          cover: Buffer.from([0, 255, 10]),
        });

        expect(await books().findOneByOrFail({ id })).toEqual({
          id,
          title: 'ünï – 🙂',
          price: '1234567890.12',
          copies: '9007199254740993',
          rating: 0.1,
          meta: { nested: [1, 'two', null, { three: 3.5 }] },
          aliases: ['a,b', '"quoted"', ''],
          published,
          cover: Buffer.from([0, 255, 10]),
          version: 1,
        });
      }));

    it('Q13 type parsers of the application hold', () =>
      within(async () => {
        const before = types.getTypeParser(types.builtins.INT8);
        types.setTypeParser(types.builtins.INT8, Number);
        try {
          expect(await source.query('SELECT 12::bigint AS n, $1::bigint AS m', [13])).toEqual([
            { n: 12, m: 13 },
          ]);
        } finally {
          types.setTypeParser(types.builtins.INT8, before);
        }
      }));

    it('Q13 relations are saved and loaded', () =>
      within(async () => {
        const author = source.getRepository(Author).create({ name: 'Austen' });
        author.books = ['Emma', 'Persuasion'].map((title) => books().create({ title }));
        author.books[0]!.labels = [source.getRepository(Label).create({ text: 'novel' })];
        await source.getRepository(Author).save(author);

        const loaded = await source.getRepository(Author).findOneOrFail({
          where: { name: 'Austen' },
          relations: { books: { labels: true } },
          order: { books: { title: 'ASC' } },
        });
        expect(loaded.books.map(({ title, labels }) => [title, labels.length])).toEqual([
          ['Emma', 1],
          ['Persuasion', 0],
        ]);
        const [found, count] = await books().findAndCount({ relations: { author: true }, take: 1 });
        expect([found[0]!.author!.name, count]).toEqual(['Austen', 2]);
      }));

    it('Q13 query builders', () =>
      within(async () => {
        await books().insert(['a', 'b', 'c'].map((title, index) => ({ title, rating: index })));

        const many = await books()
          .createQueryBuilder('book')
          .where('book.rating >= :least', { least: 1 })
          .orderBy('book.title', 'DESC')
          .getMany();
        expect(many.map(({ title }) => title)).toEqual(['c', 'b']);
        const raw = await books()
          .createQueryBuilder('book')
          .select('sum(book.rating)', 'sum')
          .useTransaction(true)
          .getRawOne<{ sum: number }>();
        expect(raw).toEqual({ sum: 3 });
        const updated = await source
          .createQueryBuilder()
          .update(Book)
          .set({ rating: 9 })
          .where('title = :title', { title: 'a' })
          .returning(['title', 'rating'])
          .useTransaction(true)
          .execute();
        expect([updated.affected, updated.raw]).toEqual([1, [{ title: 'a', rating: 9 }]]);
      }));

    it('Q13 raw queries, with and without parameters', () =>
      within(async () => {
        expect(await source.query('SELECT $1::int + 1 AS n', [41])).toEqual([{ n: 42 }]);
        expect(await source.query(`SELECT ';' AS s -- ; no end`)).toEqual([{ s: ';' }]);
        expect(await source.query('  /* leading */ SELECT 1 AS n')).toEqual([{ n: 1 }]);
        expect(
          await source.query(`INSERT INTO labels (id, text) VALUES (gen_random_uuid(), 'x')`),
        ).toEqual([]);
        expect(await source.query(`UPDATE labels SET text = 'y'`)).toEqual([[], 1]);
        expect(await source.query(`DELETE FROM labels RETURNING text`)).toEqual([
          [{ text: 'y' }],
          1,
        ]);
        expect(await source.query('')).toEqual([]);
        expect(await source.sql`SELECT ${7}::int AS n`).toEqual([{ n: 7 }]);
      }));

    it('Q13 statements that refuse a transaction, and several in one text', () =>
      within(async () => {
        await source.query('VACUUM books');
        await source.query('CREATE INDEX CONCURRENTLY books_title ON books (title)');
        await source.query('DROP INDEX CONCURRENTLY books_title');
        const several = source.query(`SELECT 1; SELECT 2`);
        expect(await failure(several)).toBeUndefined();
        expect(await source.query('EXPLAIN (COSTS OFF) SELECT 1')).toEqual([
          { 'QUERY PLAN': 'Result' },
        ]);
      }));

    it('Q13 transactions commit, and roll back on failure', () =>
      within(async () => {
        const add = (title: string, fail?: Error) =>
          source.transaction(async (manager) => {
            await manager.save(manager.create(Book, { title }));
            if (fail) throw fail;
            return title;
          });
        const undo = new Error('undo');

        expect(await add('kept')).toBe('kept');
        expect(await failure(add('lost', undo))).toBe(undo);
        const kept = await source.transaction('SERIALIZABLE', (manager) => manager.find(Book));
        expect(kept.map(({ title }) => title)).toEqual(['kept']);
      }));

    it('Q13 nested transactions roll back to their savepoint', () =>
      within(async () => {
        await source.transaction(async (outer) => {
          await outer.insert(Book, { title: 'outer' });
          const inner = outer.transaction(async (manager) => {
            await manager.insert(Book, { title: 'inner' });
            await manager.query('SELECT 1/0');
          });
          expect(await failure(inner)).toMatchObject({ code: '22012' });
          await outer.transaction((manager) => manager.insert(Book, { title: 'second' }));
        });

        const titles = (await books().find({ order: { id: 'ASC' } })).map(({ title }) => title);
        expect(titles).toEqual(['outer', 'second']);
      }));

    it('Q13 a query runner by hand', () =>
      within(async () => {
        const runner = source.createQueryRunner();
        await runner.connect();
        await runner.startTransaction('REPEATABLE READ');
        expect(runner.isTransactionActive).toBe(true);
        await runner.manager.insert(Book, { title: 'by hand' });
        expect(await runner.query('SHOW transaction_isolation')).toEqual([
          { transaction_isolation: 'repeatable read' },
        ]);
        const structured = await runner.query('SELECT 1 AS n', [], true);
        expect(structured.records).toEqual([{ n: 1 }]);
        await runner.rollbackTransaction();
        await expect(runner.rollbackTransaction()).rejects.toThrow('Transaction is not started');
        expect(await runner.manager.count(Book)).toBe(0);
        await runner.release();
        await expect(runner.query('SELECT 1')).rejects.toThrow('released');
      }));

    it('Q13 many at once, on more callers than connections', () =>
      within(async () => {
        const work = Array.from({ length: 40 }, (_, index) =>
          index % 2 === 0
            ? source.query('SELECT $1::int AS n', [index])
            : source.transaction((manager) => manager.query('SELECT $1::int AS n', [index])),
        );

        expect((await Promise.all(work)).flat()).toEqual(work.map((_, n) => ({ n })));
      }));

    it('Q13 several at once on the connection of one transaction', () =>
      within(async () => {
        const answers = await source.transaction((manager) =>
          Promise.all([1, 2, 3].map((n) => manager.query('SELECT $1::int AS n', [n]))),
        );

        expect(answers.flat()).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
      }));

    it('Q13 streams', () =>
      within(async () => {
        const stream = await source
          .createQueryBuilder()
          .select('n')
          .from('(SELECT generate_series(1, 1000) AS n)', 'numbers')
          .stream();
        const seen: number[] = [];
        for await (const row of stream) seen.push((row as { n: number }).n);

        expect(seen).toEqual(Array.from({ length: 1_000 }, (_, index) => index + 1));
      }));

    it('Q13 errors keep their class, code and details', () =>
      within(async () => {
        const authors = source.getRepository(Author);
        await authors.insert({ name: 'Austen' });

        const unique = await failure(authors.insert({ name: 'Austen' }));
        expect(unique).toBeInstanceOf(QueryFailedError);
        expect(unique).toMatchObject({
          message: 'duplicate key value violates unique constraint "authors_name"',
          query: expect.stringContaining('INSERT INTO "authors"'),
          parameters: ['Austen'],
          code: '23505',
          constraint: 'authors_name',
          detail: 'Key (name)=(Austen) already exists.',
          driverError: { name: 'error', code: '23505', severity: 'ERROR', table: 'authors' },
        });
        const syntax = await failure(source.query('SELEC 1'));
        expect(syntax).toMatchObject({ code: '42601', position: '1' });
        const placed = await failure(source.query('SELECT nothing FROM books WHERE id = $1', [1]));
        expect(placed).toMatchObject({ code: '42703', position: '8' });
        const missing = await failure(books().insert({ title: null as never }));
        expect(missing).toMatchObject({ code: '23502', column: 'title' });
        expect(await failure(source.query('SELECT $1::int', ['x']))).toMatchObject({
          code: '22P02',
        });
        expect(await failure(source.query('SELECT $1::int + $2', [1]))).toMatchObject({
          code: '08P01',
        });
      }));

    it('Q13 the driver itself', () =>
      within(async () => {
        const direct = await pool().query('SELECT $1::int AS n', [1]);
        expect([direct.rows, direct.rowCount, direct.command]).toEqual([[{ n: 1 }], 1, 'SELECT']);
        expect(direct.fields.map(({ name }) => name)).toEqual(['n']);
        const client = await pool().connect();
        const named = { name: 'by-name', text: 'SELECT $1::int AS n', rowMode: 'array' } as const;
        expect((await client.query({ ...named, values: [2] })).rows).toEqual([[2]]);
        expect((await client.query({ ...named, values: [3] })).rows).toEqual([[3]]);
        const both = (await client.query('SELECT 1 AS a; SELECT 2 AS b')) as unknown as {
          rows: unknown[];
        }[];
        expect(both.map(({ rows }) => rows)).toEqual([[{ a: 1 }], [{ b: 2 }]]);
        const called = await new Promise((resolve) =>
          client.query('SELECT 4 AS n', (error, result) => resolve([error ?? null, result.rows])),
        );
        expect(called).toEqual([null, [{ n: 4 }]]);
        client.release();
      }));
  });
});
