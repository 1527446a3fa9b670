import { withDeadline } from 'nestjs-timeouts';
import { withDeadlines } from 'nestjs-timeouts/typeorm';
import { DataSource } from 'typeorm';
import { serve } from '../harness/child.mjs';

const SELECT = ['SELECT $1::integer AS n', [1]];

const operations = {
  transactions: (source) => source.transaction((manager) => manager.query(...SELECT)),
  'single queries': (source) => source.query(...SELECT),
  'single queries without parameters': (source) => source.query('SELECT 1 AS n'),
};

const setLocal = (source) =>
  source.transaction(async (manager) => {
    await manager.query('SET LOCAL statement_timeout = 30000');
    await manager.query(...SELECT);
  });

const inScope = (work) => withDeadline('30s', work);
const outside = (work) => work();

/* how a variant makes its data source, and whose scope it works in */
const variants = {
  plain: [(options) => options, outside],
  'plain, in a scope': [(options) => options, inScope],
  withDeadlines: [withDeadlines, inScope],
  'withDeadlines, no scope': [withDeadlines, outside],
  'SET LOCAL as a query': [(options) => options, outside, setLocal],
};

const [variant, url, count] = process.argv.slice(2);
const [optionsOf, scope, only] = variants[variant];
let source;

serve({
  async start() {
    const options = { type: 'postgres', url, poolSize: Number(count) };
    source = await new DataSource(optionsOf(options)).initialize();
  },

  /** Each of the workers is one request, with one scope. @returns operations per second */
  async rate({ name, ms }) {
    const operation = only ?? operations[name];
    const start = performance.now();
    let done = 0;
    const work = async () => {
      for (; performance.now() < start + ms; done++) await operation(source);
    };
    await Promise.all(Array.from({ length: Number(count) }, () => scope(work)));
    return (done * 1_000) / (performance.now() - start);
  },
});
