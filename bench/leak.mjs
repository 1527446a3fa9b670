import { parseArgs } from 'node:util';
import { withChildren } from './harness/child.mjs';
import { table } from './harness/table.mjs';

const WARMUP = 6_000;
const HEAP = 'heap in kB';
const BYTES_PER_REQUEST = 15; // less than the smallest object that could be left behind

// V8 drops code that was not used for a while, which would hide a leak.
const FLAGS = ['--expose-gc', '--no-flush-bytecode'];

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '100000' },
    adapters: { type: 'string', default: 'express,fastify' },
  },
});
const count = Number(values.requests);

for (const adapter of values.adapters.split(',')) {
  await withChildren(async (start) => {
    const server = start('../servers/leak.mjs', [adapter], FLAGS);
    const clients = start('../mixed-load.mjs');
    const { port, node } = await server.ask('start');
    // The first requests compile and cache things that stay, and are no leak.
    await clients.ask('run', { port, count: WARMUP });
    const before = await server.ask('held');
    const statuses = await clients.ask('run', { port, count });
    const after = await server.ask('held');
    console.log(`${adapter}, Node ${node}: ${describe(statuses)}\n`);
    console.log(`${compare(before, after)}\n`);
  });
}

function describe(statuses) {
  return Object.entries(statuses)
    .map(([status, times]) => `${times} × ${status}`)
    .join(', ');
}

function compare(before, after) {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  const rows = [...names].map((name) => {
    const [was, is] = [before[name] ?? 0, after[name] ?? 0];
    const leaks = is - was > (name === HEAP ? (count * BYTES_PER_REQUEST) / 1_000 : 0);
    if (leaks) process.exitCode = 1;
    return [name, was, is, leaks ? 'LEAK' : 'flat'];
  });
  return table(['held', 'before', 'after', ''], rows);
}
