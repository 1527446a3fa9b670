import { quantile, table } from './harness/table.mjs';
import { variantsFor } from './variants.mjs';

/** Starts every server of an adapter; those that cannot start are explained, not fatal. */
export async function startServers(start, adapter, wanted) {
  const names = variantsFor(adapter).filter((name) => name === 'bare' || wanted.includes(name));
  const servers = names.map((variant) => ({
    adapter,
    variant,
    child: start('../servers/trivial.mjs', [adapter, variant]),
    samples: [],
  }));
  await Promise.all(
    servers.map(async (server) => {
      try {
        Object.assign(server, await server.child.ask('start'));
      } catch (error) {
        server.fault = firstLine(error);
      }
    }),
  );
  return servers;
}

/**
 * One round: every server gets the same load, a slice at a time and in an order that changes, so
 * that all of them share whatever else the machine does meanwhile.
 */
export async function round(servers, load, { requests, slices, connections, baseline = 'bare' }) {
  const totals = new Map(servers.map((server) => [server, { cpu: 0, seconds: 0 }]));
  for (let slice = 0; slice < slices; slice++) {
    for (const server of shuffled(servers.filter(({ fault }) => !fault))) {
      try {
        const measured = await measure(server, load, requests / slices, connections);
        totals.get(server).cpu += measured.cpu;
        totals.get(server).seconds += measured.seconds;
      } catch (error) {
        server.fault = firstLine(error);
      }
    }
  }
  for (const [server, { cpu, seconds }] of totals) {
    const bare = totals.get(
      servers.find(({ adapter, variant }) => adapter === server.adapter && variant === baseline),
    );
    server.samples.push({
      cpu: cpu / requests,
      rate: requests / seconds,
      cpuRatio: cpu / bare.cpu,
      rateRatio: bare.seconds / seconds,
    });
  }
}

async function measure(server, load, requests, count) {
  server.answer = await load.ask('open', {
    port: server.port,
    request: server.request,
    count,
  });
  const before = await server.child.ask('cpuMicroseconds');
  const seconds = await load.ask('run', requests);
  const after = await server.child.ask('cpuMicroseconds');
  await load.ask('close');
  return { cpu: after - before, seconds };
}

export function report(adapter, servers, limit) {
  const rows = servers.map(({ variant, fault, samples }) => {
    if (fault) return [variant, '-', '-', '-', '-', '-', 'no result'];
    const of = (key, q = 0.5) =>
      quantile(
        samples.map((sample) => sample[key]),
        q,
      );
    const over = variant === 'ours' && of('cpuRatio') > limit;
    return [
      variant,
      `${of('cpu').toFixed(1)} µs`,
      of('cpuRatio').toFixed(2),
      `${of('cpuRatio', 0.25).toFixed(2)}-${of('cpuRatio', 0.75).toFixed(2)}`,
      of('rate').toFixed(0),
      of('rateRatio').toFixed(2),
      variant === 'ours' && limit ? `${over ? 'OVER' : 'within'} ${limit.toFixed(2)}` : '',
    ];
  });
  const headings = ['CPU/req', '× bare', 'quartiles', 'req/s', '× bare', 'limit'];
  return table([adapter, ...headings], rows);
}

/** Why this run proves nothing about a variant: it did not start, or answered something else. */
export function faults(servers) {
  return servers.flatMap(({ adapter, variant, fault, answer }) => {
    if (fault) return [`${adapter}, ${variant}: ${fault}`];
    if (answer.status === 200 && answer.body === '{"ok":true}') return [];
    return [`${adapter}, ${variant}: answered ${answer.status} ${answer.body}`];
  });
}

const firstLine = (error) => error.message.split('\n')[0];

function shuffled(values) {
  const keyed = values.map((value) => [Math.random(), value]);
  return keyed.toSorted(([a], [b]) => a - b).map(([, value]) => value);
}
