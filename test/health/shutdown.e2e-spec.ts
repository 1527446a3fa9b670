import { afterEach, describe, expect, it } from '@jest/globals';
import { endServices, RunningService } from '../shutdown/fixtures/running-service.js';
import { call } from '../support/http-client.js';
import { probe, up, well } from './fixtures/probe.js';

afterEach(endServices);

describe.each(['express', 'fastify'])('probes while a process goes down on %s', (adapter) => {
  it('K01 K03 is alive and not ready from the signal on, and probes count for nothing', async () => {
    const service = await RunningService.start(
      { TEST_ADAPTER: adapter, SHUTDOWN_READINESS_DELAY_SECONDS: '0.6' },
      'test/health/fixtures/service.ts',
    );
    const { url } = service;
    expect(await probe(url, '/_ops/ready')).toMatchObject({
      status: 200,
      connection: 'close',
      body: well({ drain: { ...up, state: 'running' } }),
    });
    const work = call(`${url}/work?ms=900`);
    await service.says('work began');

    service.signal();
    await service.says('SIGTERM: draining, 1 in flight');
    const ready = await probe(url, '/_ops/ready');
    const others = [await probe(url, '/_ops/live'), await probe(url, '/_ops/startup')];

    const drain = { status: 'down', state: 'draining' };
    expect(ready).toMatchObject({
      status: 503,
      connection: 'close',
      body: { status: 'error', info: {}, error: { drain }, details: { drain } },
    });
    expect(others.map(({ status }) => status)).toEqual([200, 200]);
    expect((await work).status).toBe(200);
    expect(await service.ended).toBe('SIGTERM');
    expect(service.output).toMatch(/Drained in \d\.\d s: 1 finished, 0 cancelled, 0 forced/);
    expect(service.output).not.toMatch(/ERROR|WARN/);
  });
});
