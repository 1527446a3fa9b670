import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startPostgres } from '../dist/apps/demo/postgres/embedded-postgres.js';
import { withChildren } from './harness/child.mjs';
import { quantile, table } from './harness/table.mjs';

const usage = `Operations per second through TypeORM with deadlines, as a ratio to plain TypeORM.

npm run build && node bench/sql.mjs [options]

  --rounds 100         measured rounds; the median of their ratios is printed
  --ms 20              how long every variant runs in a round
  --warmup 60          rounds thrown away first
  --delay 1            milliseconds each way of the slow link
  --only text          only the tables whose title contains it`;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '100' },
    ms: { type: 'string', default: '20' },
    warmup: { type: 'string', default: '60' },
    delay: { type: 'string', default: '1' },
    only: { type: 'string', default: '' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(usage);
  process.exit();
}

const VARIANTS = [
  'plain',
  'plain, in a scope',
  'withDeadlines',
  'withDeadlines, no scope',
  'SET LOCAL as a query',
];
const TABLES = ['transactions', 'single queries', 'single queries without parameters'];

const postgres = await startPostgres();
const { hostname, port } = new URL(postgres.url);
const link = fork(join(import.meta.dirname, 'harness/slow-link.mjs'), [
  hostname,
  port,
  values.delay,
]);
try {
  const [slowPort] = await once(link, 'message');
  const slowUrl = postgres.url.replace(`:${port}/`, `:${slowPort}/`);
  console.log(`Node ${process.version}: ${values.rounds} interleaved rounds\n`);
  for (const [where, url, count] of [
    ['1 at once', postgres.url, 1],
    ['20 at once', postgres.url, 20],
    [`1 at once, ${2 * Number(values.delay)} ms away`, slowUrl, 1],
  ]) {
    const names = TABLES.filter((name) => `${name}, ${where}`.includes(values.only));
    if (names.length > 0) await withChildren((start) => bench(start, where, url, count, names));
  }
} finally {
  link.disconnect();
  await postgres.stop();
}

async function bench(start, where, url, count, names) {
  const children = VARIANTS.map((variant) => start('../servers/sql.mjs', [variant, url, count]));
  await Promise.all(children.map((child) => child.ask('start')));
  for (const name of names) console.log(`${await compare(name, where, children)}\n`);
}

/** The variants take turns, in an order that changes: whatever else the machine does, they share. */
async function compare(name, where, children) {
  const samples = children.map(() => []);
  for (let round = 1 - Number(values.warmup); round <= Number(values.rounds); round++) {
    const rates = [];
    for (const at of shuffled([...children.keys()])) {
      rates[at] = await children[at].ask('rate', { name, ms: Number(values.ms) });
    }
    if (round < 1) continue;
    rates.forEach((rate, at) => samples[at].push({ rate, ratio: rate / rates[0] }));
  }
  const rows = samples.map((all, at) => {
    const of = (key, q = 0.5) =>
      quantile(
        all.map((sample) => sample[key]),
        q,
      );
    const quartiles = `${of('ratio', 0.25).toFixed(2)}-${of('ratio', 0.75).toFixed(2)}`;
    const best =
      of('rate', 0.9) /
      quantile(
        samples[0].map((sample) => sample.rate),
        0.9,
      );
    return [
      VARIANTS[at],
      of('rate').toFixed(0),
      of('ratio').toFixed(3),
      quartiles,
      best.toFixed(3),
    ];
  });
  const headings = ['per second', '× plain', 'quartiles', '× plain at its best'];
  return table([`${name}, ${where}`, ...headings], rows);
}

function shuffled(list) {
  return list
    .map((item) => [Math.random(), item])
    .toSorted(([a], [b]) => a - b)
    .map(([, item]) => item);
}
