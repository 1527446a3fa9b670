import { request } from 'node:http';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { round } from './cost.mjs';
import { withChildren } from './harness/child.mjs';
import { median, quantile, table } from './harness/table.mjs';

const MEGABYTE = 2 ** 20;
const CHUNK = Buffer.alloc(MEGABYTE / 4, 'nestjs-timeouts ');

const WARM_UP_MB = 64;
const FLAT_WITHIN_MB = 50;
const LEAST_THROUGHPUT = 0.95;
const MOST_METERING = 1.03;

/** What reading bodies under limits costs: on large ones in memory and speed, on small ones in CPU. */
export async function uploads({ megabytes, rounds, requests, adapters, judged = true }) {
  const verdict = (isWithin) => (judged ? (isWithin ? 'within' : 'OVER') : '');
  console.log(`Uploads of ${megabytes} MB, and JSON of 1 kB\n`);
  for (const adapter of adapters) {
    const large = await largeUploads(adapter, megabytes, rounds);
    const small = await smallBodies(adapter, requests, rounds);
    const { grownMb, throughput, rate } = large;
    const grown = `${grownMb.toFixed(0)} MB`;
    const isFast = throughput[1] >= LEAST_THROUGHPUT;
    console.log(
      `${table(
        [adapter, 'result', 'quartiles', 'limit', ''],
        [
          [
            'memory during an upload',
            `+${grown}`,
            '',
            `${FLAT_WITHIN_MB} MB`,
            verdict(grownMb <= FLAT_WITHIN_MB),
          ],
          ['throughput', `${rate.toFixed(0)} MB/s`, '', '', ''],
          [
            'throughput, × bare',
            ...ratio(throughput),
            LEAST_THROUGHPUT.toFixed(2),
            verdict(isFast),
          ],
          [
            'CPU of a JSON POST, × no body limits',
            ...ratio(small),
            MOST_METERING.toFixed(2),
            verdict(small[1] <= MOST_METERING),
          ],
        ],
      )}\n`,
    );
  }
}

/**
 * Both in turns, so that they share whatever else the machine does meanwhile; and in one process,
 * because how far its heap has grown decides whether what is read stays in the processor's cache,
 * which is worth a factor of two: between two processes nothing else can be seen.
 */
function largeUploads(adapter, megabytes, rounds) {
  return withChildren(async (start) => {
    const [ours] = await startAll(start, adapter, ['ours']);
    await upload(ours.port, Math.min(megabytes, WARM_UP_MB));
    const { rss } = await ours.child.ask('memory');
    await ours.child.ask('watchMemory');
    const rates = [await upload(ours.port, megabytes)];
    const grownMb = ((await ours.child.ask('peakMemory')) - rss) / MEGABYTE;
    const bare = await ours.child.ask('startBare');
    await upload(bare.port, Math.min(megabytes, WARM_UP_MB));
    const ratios = [];
    const share = Math.max(1, Math.round(megabytes / rounds / 2));
    for (let number = 0; number < rounds * 4; number++) {
      // Whoever goes second finds the caches warm.
      const isOursFirst = number % 2 === 0;
      const first = await upload((isOursFirst ? ours : bare).port, share);
      const second = await upload((isOursFirst ? bare : ours).port, share);
      ratios.push(isOursFirst ? first / second : second / first);
      rates.push(isOursFirst ? first : second);
    }
    return { grownMb, throughput: quartiles(ratios), rate: median(rates) };
  });
}

function smallBodies(adapter, requests, rounds) {
  return withChildren(async (start) => {
    const servers = await startAll(start, adapter, ['no body limits', 'ours']);
    const load = start('../load.mjs');
    for (const server of servers) server.request = jsonRequest();
    const size = { requests, slices: 6, connections: 48, baseline: 'no body limits' };
    for (let number = -2; number < rounds; number++) {
      if (number === 0) for (const server of servers) server.samples = [];
      await round(servers, load, size);
    }
    return quartiles(servers[1].samples.map(({ cpuRatio }) => cpuRatio));
  });
}

function startAll(start, adapter, variants) {
  return Promise.all(
    variants.map(async (variant) => {
      const child = start('../servers/bodies.mjs', [adapter, variant]);
      return { adapter, variant, child, samples: [], ...(await child.ask('start')) };
    }),
  );
}

/** MB per second. */
function upload(port, megabytes) {
  return new Promise((resolve, reject) => {
    const bytes = megabytes * MEGABYTE;
    const headers = { 'content-length': bytes, 'content-type': 'application/octet-stream' };
    const startedAt = performance.now();
    const options = { port, host: '127.0.0.1', path: '/lab/bulk', method: 'POST', headers };
    const sent = request({ ...options, agent: false }, async (response) => {
      let text = '';
      for await (const chunk of response.setEncoding('utf8')) text += chunk;
      if (JSON.parse(text).bytes !== bytes) return reject(new Error(`Answered ${text}`));
      return resolve((megabytes * 1_000) / (performance.now() - startedAt));
    });
    sent.once('error', reject);
    let left = bytes;
    const write = () => {
      while (left > 0) {
        const piece = left < CHUNK.length ? CHUNK.subarray(0, left) : CHUNK;
        left -= piece.length;
        if (!sent.write(piece)) return sent.once('drain', write);
      }
      return sent.end();
    };
    write();
  });
}

function jsonRequest() {
  const body = JSON.stringify({ text: 'x'.repeat(1_000 - '{"text":""}'.length) });
  const head = ['POST /lab/json HTTP/1.1', 'Host: localhost', 'Content-Type: application/json'];
  return [...head, `Content-Length: ${body.length}`, '', body].join('\r\n');
}

function quartiles(values) {
  return [0.25, 0.5, 0.75].map((q) => quantile(values, q));
}

function ratio([low, middle, high]) {
  return [middle.toFixed(3), `${low.toFixed(3)}-${high.toFixed(3)}`];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      megabytes: { type: 'string', default: '1024' },
      rounds: { type: 'string', default: '10' },
      requests: { type: 'string', default: '6000' },
      adapters: { type: 'string', default: 'express,fastify' },
    },
  });
  await uploads({
    megabytes: Number(values.megabytes),
    rounds: Number(values.rounds),
    requests: Number(values.requests),
    adapters: values.adapters.split(','),
  });
}
