import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { withChildren } from './harness/child.mjs';
import { startDemo } from './harness/demo.mjs';
import { hasSlowhttptest, slowhttptest } from './harness/slowhttptest.mjs';
import { table } from './harness/table.mjs';

const MEGABYTE = 2 ** 20;
const RATE = 200;
const RAMP_MS = 1_000;

const P99_FACTOR = 3;
const P99_FLOOR_MS = 5; // below this, three times the idle p99 is what one collection of garbage takes
const MEMORY_MB = 10;
const LOOK_MS = 250;
const MARGIN_MS = 1_500; // slowhttptest looks once a second

/** Three attacks on the demo, and on bare Nest beside it, while polite clients go on asking. */
export async function slowClients({ connections, limitSeconds, idleSeconds, adapters, smoke }) {
  const attack = await chooseAttack(smoke);
  const limits = `limits of ${limitSeconds} s`;
  console.log(
    `${connections} slow connections, ${limits}, ${RATE} polite requests/s: ${attack.name}\n`,
  );
  for (const adapter of adapters) {
    const rows = [];
    for (const start of smoke ? [demo] : [demo, bare]) {
      const found = await withServer(start, adapter, limitSeconds, (server, children) =>
        measure(server, children, attack, { connections, limitSeconds, idleSeconds }),
      );
      rows.push(...found.map((result) => row(result, start === demo, limitSeconds, smoke)));
      if (smoke && found.some(isWrong)) {
        throw new Error(
          `On ${adapter} the slow were not cut, or others were: ${JSON.stringify(found)}`,
        );
      }
    }
    const headings = [
      'slow',
      'left',
      'last gone',
      'polite',
      'failed',
      'idle p99',
      'p99',
      'memory',
      '',
    ];
    console.log(`${table([adapter, ...headings], rows)}\n`);
  }
}

async function chooseAttack(smoke) {
  if (!smoke && (await hasSlowhttptest())) return { name: 'slowhttptest', run: slowhttptest };
  if (!smoke)
    console.log('slowhttptest is not installed (the Debian package): own clients instead');
  return { name: "the package's own clients" };
}

/** A send buffer of the kernel that grows looks like a client that reads: such a one stays longer. */
function isWrong({ mode, opened, left, polite }) {
  return left > (mode === 'read' ? opened / 4 : 0) || polite.failures > 0;
}

async function withServer(start, adapter, limitSeconds, body) {
  return withChildren(async (startChild) => {
    const server = await start(adapter, limitSeconds, startChild);
    try {
      return await body(server, startChild);
    } finally {
      await server.stop();
    }
  });
}

async function demo(adapter, limitSeconds) {
  const limit = `${limitSeconds}`;
  const server = await startDemo({
    ADAPTER: adapter,
    APP_ENV: 'production',
    REQUEST_HEADERS_TIMEOUT_SECONDS: limit,
    REQUEST_BODY_TIMEOUT_SECONDS: limit,
    REQUEST_BODY_GRACE_SECONDS: limit,
    RESPONSE_GRACE_SECONDS: limit,
    SHUTDOWN_READINESS_DELAY_SECONDS: '0',
  });
  const openDownloads = async () => {
    const answer = await fetch(`${server.url}/_ops/timeouts`);
    const { inFlight } = await answer.json();
    return inFlight.filter(({ route }) => route === 'GET /lab/large').length;
  };
  return { name: 'ours', politePath: '/lab/sleep?ms=1', openDownloads, ...server };
}

async function bare(adapter, _limitSeconds, startChild) {
  const child = startChild('../servers/bodies.mjs', [adapter, 'bare']);
  const { port } = await child.ask('start');
  return {
    name: 'bare Nest',
    url: `http://127.0.0.1:${port}`,
    politePath: '/lab/sleep',
    memory: () => child.ask('memory'),
    stop: () => undefined,
  };
}

const PATHS = { headers: '/', body: '/lab/echo', read: '/lab/large?mb=8' };

async function measure(server, startChild, attack, { connections, limitSeconds, idleSeconds }) {
  const polite = startChild('../steady.mjs');
  const hostile = attack.run ? undefined : startChild('../hostile.mjs');
  const seconds = Math.max(Math.ceil(limitSeconds * 4), limitSeconds + 2);
  const run = (mode, count) => {
    const url = server.url + PATHS[mode];
    return attack.run
      ? attack.run(mode, url, { connections: count, seconds })
      : hostile.ask('attack', { mode, url, connections: count, seconds });
  };
  const during = async (work) => {
    await polite.ask('start', { url: server.url + server.politePath, rate: RATE });
    await work();
    return polite.ask('stop');
  };
  // The first crowd makes the process grow to the size that such a crowd takes, and stays.
  const isOurs = server.name === 'ours';
  await during(() =>
    Promise.all(Object.keys(PATHS).map((mode) => run(mode, isOurs ? connections : 10))),
  );
  const results = [];
  for (const mode of Object.keys(PATHS)) {
    const before = await server.memory();
    const idle = await during(() => sleep(idleSeconds * 1_000));
    let attacked;
    const seen = mode === 'read' && server.openDownloads && watchDownloads(server);
    const busy = await during(async () => (attacked = await run(mode, connections)));
    if (seen) attacked = { opened: attacked.opened, ...(await seen.stop()) };
    await sleep(1_000);
    const after = await server.memory();
    const grownMb = (after.rss - before.rss) / MEGABYTE;
    const name = `${server.name}, slow ${mode}`;
    results.push({ name, mode, ...attacked, polite: busy, idle, grownMb });
  }
  return results;
}

/**
 * A client that reads next to nothing learns of its reset when it has read what came before, which
 * takes it minutes: the server knows better.
 */
function watchDownloads({ openDownloads }) {
  const startedAt = performance.now();
  let isOver = false;
  let left = 0;
  let lastSeenMs = 0;
  const watching = (async () => {
    while (!isOver) {
      left = await openDownloads();
      if (left > 0) lastSeenMs = performance.now() - startedAt;
      await sleep(LOOK_MS);
    }
  })();
  return {
    async stop() {
      isOver = true;
      await watching;
      return { left, lastGoneAfterMs: left > 0 ? undefined : lastSeenMs };
    },
  };
}

function row(result, isOurs, limitSeconds, smoke) {
  const { name, mode, opened, left, lastGoneAfterMs, polite, idle, grownMb } = result;
  const gone =
    lastGoneAfterMs === undefined ? 'never' : `${(lastGoneAfterMs / 1_000).toFixed(1)} s`;
  // What the system took for a reader counts as read, and is worth a second grace.
  const limitMs = limitSeconds * 1_000 * (mode === 'read' ? 2 : 1);
  const faults = [
    lastGoneAfterMs > limitMs + RAMP_MS + MARGIN_MS && 'late',
    left > 0 && 'left',
    polite.failures > 0 && 'failed',
    polite.p99 > Math.max(P99_FLOOR_MS, idle.p99) * P99_FACTOR && 'p99',
    grownMb > MEMORY_MB && 'memory',
  ].filter(Boolean);
  const verdict = faults.length > 0 ? `OVER: ${faults.join(', ')}` : 'within';
  return [
    name,
    opened,
    left,
    gone,
    polite.count,
    polite.failures,
    `${idle.p99.toFixed(1)} ms`,
    `${polite.p99.toFixed(1)} ms`,
    `${grownMb < 0 ? '' : '+'}${grownMb.toFixed(1)} MB`,
    isOurs && !smoke ? verdict : '',
  ];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      connections: { type: 'string', default: '1000' },
      limit: { type: 'string', default: '3' },
      idle: { type: 'string', default: '5' },
      adapters: { type: 'string', default: 'express,fastify' },
      smoke: { type: 'boolean', default: false },
    },
  });
  await slowClients({
    connections: Number(values.connections),
    limitSeconds: Number(values.limit),
    idleSeconds: Number(values.idle),
    adapters: values.adapters.split(','),
    smoke: values.smoke,
  });
}
