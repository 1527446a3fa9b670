import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, StreamableFile } from '@nestjs/common';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import type { Server } from 'node:http';
import { Agent } from 'node:http';
import type { Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { closeApps, startApp, ADAPTER_STACKS } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { call } from '../support/http-client.js';
import { rawRequest } from '../support/raw-connection.js';
import { watchProcess } from '../support/watch-process.js';

const MANY = 500;
const SIZE = 500_000;
const GRACE = 500;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

@Controller()
class LargeController {
  @Get('large')
  large() {
    return new StreamableFile(Buffer.alloc(SIZE, 'x'));
  }

  @Get('quick')
  quick() {
    return 'quick';
  }
}

function heldMegabytes(): number {
  collectGarbage();
  return process.memoryUsage().arrayBuffers / 1_000_000;
}

describe.each(ADAPTER_STACKS)('many slow readers, on $adapter with $enforcement', (stack) => {
  const incidents = watchProcess();
  let clients: Socket[] = [];
  let folder = '';

  afterEach(async () => {
    for (const client of clients) client.destroy();
    clients = [];
    await closeApps();
    await rm(folder, { recursive: true });
  });

  /** A local socket buffers some kilobytes, where TCP would fill gigabytes of kernel memory. */
  async function openDoor(server: Server): Promise<string> {
    folder = await mkdtemp(join(tmpdir(), 'slow-reader-'));
    const path = join(folder, 'door');
    const door = createServer((socket) => server.emit('connection', socket)).listen(path);
    await once(door, 'listening');
    server.once('close', () => door.close());
    return path;
  }

  it('B11 are all gone at their limit, others are served meanwhile, and memory is back', async () => {
    const response = { minRate: 240, grace: GRACE };
    const { app, url, outcomes, monitor } = await startApp(stack, {
      controllers: [LargeController],
      options: { response },
    });
    const path = await openDoor(app.getHttpServer() as Server);
    const before = heldMegabytes();
    clients = Array.from({ length: MANY }, () => {
      const client = connect(path, () => client.write(rawRequest('GET', '/large')));
      client.pause().on('error', () => {});
      return client;
    });
    // The first are cut already where the machine takes long to let the last ones in.
    await eventually(() => monitor.snapshot().inFlight.length + outcomes.length === MANY);
    const { length: held } = monitor.snapshot().inFlight;
    expect(heldMegabytes() - before).toBeGreaterThan((held * SIZE) / 2_000_000);
    const agent = new Agent({ keepAlive: true });
    while (outcomes.filter(({ layer }) => layer === 'response').length < MANY) {
      expect(await call(`${url}/quick`, { agent })).toMatchObject({ status: 200, body: 'quick' });
    }
    agent.destroy();
    const cut = outcomes.filter(({ name }) => name === 'GET /large');
    expect(cut).toHaveLength(MANY);
    expect(cut.every(({ result }) => result === 'deadline')).toBe(true);
    expect(monitor.snapshot().counters).toEqual([
      { layer: 'response', reason: 'deadline', route: 'GET /large', count: MANY },
    ]);
    expect(monitor.snapshot().inFlight).toEqual([]);
    // The list of outcomes must not be what holds on to them.
    await eventually(() => heldMegabytes() - before < 10);
    expect(incidents).toEqual([]);
  });
});
