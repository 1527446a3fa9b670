import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { withChildren } from './harness/child.mjs';
import { median, table } from './harness/table.mjs';

const TIMEOUT_MS = 6_000;
const WARMUP = 1_000;
const BATCH = 250;

const REPEATS = 3;

/** What `ours` may take; above what bare Nest takes for the same, where bare can do the same. */
const HEAP_BYTES = 1_500;
const SETTLED_MS = 300;
const BLOCK_MS = 50;

/** What many waiting requests cost, and what it costs when all of them end at once. */
export async function inFlight({ count, adapters }) {
  const size = Math.min(count, openFilesAllowed() - 500);
  if (size < count) console.log(`No more than ${size} at once: \`ulimit -n\` is too low`);
  const rows = [];
  for (const adapter of adapters) {
    const bareHeap = await heapPerRequest(adapter, 'bare', size);
    const heap = await heapPerRequest(adapter, 'ours', size);
    rows.push(row(`${adapter}, heap per request`, bareHeap, heap, HEAP_BYTES, 'B'));
    const bare = await allLeave(adapter, 'bare', size);
    rows.push(...endRows(`${adapter}, clients leave`, bare, await allLeave(adapter, 'ours', size)));
    const expired = await allExpire(adapter, size);
    rows.push(...endRows(`${adapter}, deadlines pass`, undefined, expired));
  }
  console.log(`${size} requests in flight, all ended at once\n`);
  console.log(table(['', 'bare', 'ours', 'limit', ''], rows));
}

function endRows(name, bare, ours) {
  return [
    row(`${name}: all handlers told`, undefined, ours.toldMs, Infinity, 'ms'),
    row(`${name}: all settled`, bare?.settledMs, ours.settledMs, SETTLED_MS, 'ms'),
    row(`${name}: longest block`, bare?.longestBlockMs, ours.longestBlockMs, BLOCK_MS, 'ms'),
  ];
}

function row(name, bare, ours, allowance, unit) {
  const limit = (bare ?? 0) + allowance;
  const print = (value) => (Number.isFinite(value) ? `${value.toFixed(0)} ${unit}` : '-');
  const verdict = limit === Infinity ? '' : ours > limit ? 'OVER' : 'within';
  return [name, print(bare), print(ours), print(limit), verdict];
}

/** A server of its own for each question, warm, and a way to crowd it. */
function withServer(adapter, variant, measure) {
  return withChildren(async (start) => {
    const args = [adapter, variant, `${TIMEOUT_MS}ms`];
    const server = start('../servers/in-flight.mjs', args, ['--expose-gc']);
    const { port } = await server.ask('start');
    const crowd = async (path, count) => {
      const clients = start('../crowd.mjs');
      // A crowd that knocks all at once overflows the listen backlog, and waits a second to retry.
      for (let sent = 0; sent < count; sent += BATCH) {
        const size = Math.min(BATCH, count - sent);
        await clients.ask('send', { port, path, count: size });
        await server.ask('arrivals', sent + size);
      }
      await server.ask('forgetArrivals');
      return clients;
    };
    return measure(server, crowd);
  });
}

function heapPerRequest(adapter, variant, count) {
  return withServer(adapter, variant, async (server, crowd) => {
    const first = await crowd('/hold', WARMUP);
    await server.ask('release');
    await first.ask('statuses', WARMUP);
    await leave(server, first);
    const before = await server.ask('heapUsed');
    await crowd('/hold', count);
    return ((await server.ask('heapUsed')) - before) / count;
  });
}

/** The middle of a few, since the kernel closes the sockets faster or slower each time. */
async function allLeave(adapter, variant, count) {
  const path = variant === 'bare' ? '/hold' : '/obey';
  const runs = [];
  while (runs.length < REPEATS) {
    const ended = withServer(adapter, variant, async (server, crowd) => {
      await leave(server, await crowd(path, WARMUP));
      return leave(server, await crowd(path, count));
    });
    runs.push(await ended);
  }
  const middle = (key) => median(runs.map((run) => run[key]));
  return {
    toldMs: middle('toldMs'),
    settledMs: middle('settledMs'),
    longestBlockMs: middle('longestBlockMs'),
  };
}

function allExpire(adapter, count) {
  return withServer(adapter, 'ours', async (server, crowd) => {
    await expire(server, await crowd('/obey', WARMUP), WARMUP);
    return expire(server, await crowd('/obey', count), count);
  });
}

async function expire(server, clients, count) {
  const ended = await server.ask('expireTogether', TIMEOUT_MS);
  const statuses = await clients.ask('statuses', count);
  if (statuses[504] !== count) throw new Error(`Answered ${JSON.stringify(statuses)}`);
  await clients.stop();
  return ended;
}

/** Their process is killed: the kernel closes all of their sockets at once. */
async function leave(server, clients) {
  const ended = server.ask('clientsLeave');
  await clients.stop();
  return ended;
}

function openFilesAllowed() {
  const { soft } = process.report.getReport().userLimits?.open_files ?? { soft: 'unlimited' };
  return soft === 'unlimited' ? Infinity : Number(soft);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      count: { type: 'string', default: '10000' },
      adapters: { type: 'string', default: 'express,fastify' },
    },
  });
  await inFlight({ count: Number(values.count), adapters: values.adapters.split(',') });
}
