import { parseArgs } from 'node:util';
import { faults, report, round, startServers } from './cost.mjs';
import { withChildren } from './harness/child.mjs';
import { inFlight } from './in-flight.mjs';
import { slowClients } from './slow-clients.mjs';
import { uploads } from './upload.mjs';
import { limits, variants } from './variants.mjs';

const usage = `CPU per request of a trivial Nest app, as a ratio to bare Nest.

npm run bench -- [options]          NODE=/path/to/node measures another Node

  --rounds 20          measured rounds; the median of their ratios is printed
  --requests 3000      requests per variant and round
  --slices 6           parts of a round, in which the variants take turns
  --warmup 3           rounds thrown away first
  --connections 48     keep-alive connections, one request at a time on each
  --adapters a,b       express,fastify
  --variants a,b       ${Object.keys(variants).join(',')}
  --only-cost          without requests in flight, uploads and slow clients
  --smoke              a tiny run: only checks that every variant works`;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string' },
    requests: { type: 'string' },
    slices: { type: 'string' },
    warmup: { type: 'string' },
    connections: { type: 'string', default: '48' },
    adapters: { type: 'string', default: 'express,fastify' },
    variants: { type: 'string', default: Object.keys(variants).join(',') },
    'only-cost': { type: 'boolean', default: false },
    smoke: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(usage);
  process.exit();
}

const size = values.smoke
  ? { rounds: 2, requests: 300, slices: 1, warmup: 1 }
  : { rounds: 20, requests: 3_000, slices: 6, warmup: 3 };
for (const key of Object.keys(size)) size[key] = Number(values[key] ?? size[key]);
const load = { ...size, connections: Number(values.connections) };

const adapters = values.adapters.split(',');

await withChildren(async (start) => {
  const client = start('../load.mjs');
  const groups = await Promise.all(
    adapters.map((adapter) => startServers(start, adapter, values.variants.split(','))),
  );
  const servers = groups.flat();
  const node = servers.find((server) => server.node)?.node ?? 'unknown';
  console.log(`Node ${node}: ${size.rounds} interleaved rounds of ${size.requests} requests\n`);

  for (let number = 1 - size.warmup; number <= size.rounds; number++) {
    if (number === 1) for (const server of servers) server.samples = [];
    if (process.stdout.isTTY) process.stdout.write(`\rround ${number} of ${size.rounds} `);
    await round(servers, client, load);
  }
  if (process.stdout.isTTY) process.stdout.write('\r');
  for (const group of groups) {
    const [{ adapter }] = group;
    // A smoke run is far too short and cold to judge by.
    const limit = values.smoke ? undefined : limits[adapter][Number.parseInt(node.slice(1))];
    console.log(`${report(adapter, group, limit)}\n`);
  }

  for (const fault of faults(servers)) {
    console.error(`FAULT ${fault}`);
    if (values.smoke) process.exitCode = 1;
  }
});

const others = values.smoke
  ? {
      uploads: () => uploads({ megabytes: 16, rounds: 1, requests: 96, adapters, judged: false }),
      'slow clients': () =>
        slowClients({
          connections: 20,
          limitSeconds: 0.5,
          idleSeconds: 0.5,
          adapters: adapters.slice(0, 1),
          smoke: true,
        }),
    }
  : {
      'in flight': () => inFlight({ count: 10_000, adapters }),
      uploads: () => uploads({ megabytes: 1_024, rounds: 10, requests: 6_000, adapters }),
      'slow clients': () =>
        slowClients({ connections: 1_000, limitSeconds: 3, idleSeconds: 5, adapters }),
    };

for (const [name, measure] of Object.entries(values['only-cost'] ? {} : others)) {
  try {
    await measure();
  } catch (error) {
    console.error(`FAULT ${name}: ${error.message}`);
    process.exitCode = 1;
  }
}
