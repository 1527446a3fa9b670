import { afterEach, describe, expect, it } from '@jest/globals';
import type { ClientProxy } from '@nestjs/microservices';
import { ClientProxyFactory, Transport } from '@nestjs/microservices';
import { firstValueFrom } from 'rxjs';
import { endServices, RunningService } from '../shutdown/fixtures/running-service.js';
import { connectTo, PLATFORMS } from './fixtures/gateway.js';

const FILE = 'test/transports/fixtures/service.ts';

let client: ClientProxy | undefined;

async function connect({ output }: RunningService): Promise<ClientProxy> {
  const port = Number(/tcp on (\d+)/.exec(output)![1]);
  client = ClientProxyFactory.create({
    transport: Transport.TCP,
    options: { host: '127.0.0.1', port },
  });
  await client.connect();
  return client;
}

afterEach(async () => {
  client?.close();
  await endServices();
});

describe.each(['pure', 'hybrid'])('SIGTERM to a %s microservice', (kind) => {
  it('G01 G02 messages in flight are answered before any module closes its clients', async () => {
    const service = await RunningService.start({ TEST_KIND: kind, TEST_PLATFORM: 'ws' }, FILE);
    const proxy = await connect(service);
    const answer = firstValueFrom(proxy.send('work', 400));
    await service.says('work began');

    service.signal();

    expect(await answer).toEqual({ usable: true });
    expect(await service.ended).toBe('SIGTERM');
    const { output } = service;
    expect(output).toMatch(/Drained in 0\.\d s: 1 finished, 0 cancelled, 0 forced/);
    expect(output.indexOf('client closed')).toBeGreaterThan(output.indexOf('Drained in'));
  });
});

describe.each(PLATFORMS)('SIGTERM to a gateway on %s', (platform) => {
  it('G01 G02 G04 what is in flight is answered, all clients are told, and nobody delays the exit', async () => {
    const variables = { TEST_KIND: 'hybrid', TEST_PLATFORM: platform };
    const service = await RunningService.start(variables, FILE);
    const [busy, idle] = [
      await connectTo(platform, service.url),
      await connectTo(platform, service.url),
    ];
    const done = busy.next('done');
    busy.send('work');
    await service.says('work began');

    const signalledAt = performance.now();
    service.signal();

    expect(await done).toEqual({ usable: true });
    const farewell = platform === 'ws' ? 1001 : 'transport close';
    expect([await busy.ended, await idle.ended]).toEqual([farewell, farewell]);
    expect(await service.ended).toBe('SIGTERM');
    expect(performance.now() - signalledAt).toBeLessThan(2_000);
    expect(service.output).toMatch(/Drained in 0\.\d s: 1 finished, 0 cancelled, 0 forced/);
  });
});
