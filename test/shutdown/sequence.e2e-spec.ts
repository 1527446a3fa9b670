import { Agent } from 'node:http';
import { afterEach, describe, expect, it } from '@jest/globals';
import { call } from '../support/http-client.js';
import { RawConnection, rawRequest } from '../support/raw-connection.js';
import { endServices, RunningService } from './fixtures/running-service.js';

afterEach(endServices);

describe.each(['express', 'fastify'])('going down on %s', (adapter) => {
  const start = (variables: Readonly<Record<string, string>> = {}) =>
    RunningService.start({ TEST_ADAPTER: adapter, ...variables });

  it.each(['SIGTERM', 'SIGINT'] as const)(
    'G01 G02 at %s what is in flight finishes before any module closes its clients',
    async (signal) => {
      const service = await start();
      const answer = call(`${service.url}/work?ms=400`);
      await service.says('work began');

      service.signal(signal);

      const { status, headers, body } = await answer;
      expect([status, headers['connection'], body]).toEqual([200, 'close', '{"usable":true}']);
      expect(await service.ended).toBe(signal);
      const { output } = service;
      expect(output.indexOf('Drained in')).toBeGreaterThan(0);
      expect(output.indexOf('client closed')).toBeGreaterThan(output.indexOf('Drained in'));
      expect(output).toMatch(/Drained in 0\.\d s: 1 finished, 0 cancelled, 0 forced/);
    },
  );

  it('G01 G03 serves for the readiness delay, not ready, and asks to come back elsewhere', async () => {
    const service = await start({ SHUTDOWN_READINESS_DELAY_SECONDS: '0.6' });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const before = await call(`${service.url}/ready`, { agent });

    service.signal();
    await service.says('SIGTERM: draining');
    const [known, fresh] = await Promise.all([
      call(`${service.url}/ready`, { agent }),
      call(`${service.url}/ready`),
    ]);

    expect([before.headers['connection'], before.body]).toEqual([
      'keep-alive',
      '{"state":"running"}',
    ]);
    for (const { status, headers, body } of [known, fresh]) {
      expect([status, headers['connection'], body]).toEqual([200, 'close', '{"state":"draining"}']);
    }
    await service.ended;
    expect(service.output).toMatch(/Drained in 0\.[67] s/);
    await expect(call(`${service.url}/ready`)).rejects.toThrow('ECONNREFUSED');
    agent.destroy();
  });

  it('G04 an idle keep-alive connection does not delay the exit', async () => {
    const service = await start();
    const connection = await RawConnection.open(service.port);
    connection.send(rawRequest('GET', '/ready'));
    await connection.receives('running');

    const signalledAt = performance.now();
    service.signal();
    await service.ended;

    expect(performance.now() - signalledAt).toBeLessThan(1_500);
    await connection.closed;
  });

  it('G04 G05 at the grace the rest is answered 503, cleans up, and events end with a word', async () => {
    const service = await start({ SHUTDOWN_GRACE_PERIOD_SECONDS: '0.4' });
    const answers = [call(`${service.url}/careful`), call(`${service.url}/deaf?ms=60000`)];
    const events = call(`${service.url}/events`);
    await service.says('work began', 3);

    const signalledAt = performance.now();
    service.signal();

    for (const { status, headers, body } of await Promise.all(answers)) {
      expect([status, headers['retry-after'], headers['connection']]).toEqual([503, '1', 'close']);
      expect(JSON.parse(body)).toMatchObject({ code: 'shutting_down', layer: 'shutdown' });
    }
    expect((await events).body).toMatch(/event: error\ndata: .*"shutting_down"/);
    expect(await service.ended).toBe('SIGTERM');
    expect(performance.now() - signalledAt).toBeLessThan(400 + 3_000);
    expect(service.output).toContain('cleaned up');
    expect(service.output).toMatch(/Drained in 2\.\d s: 0 finished, 2 cancelled, 1 forced/);
  });

  it('G06 one failing hook does not stop the others', async () => {
    const service = await start();

    service.signal();

    expect(await service.ended).toBe('SIGTERM');
    expect(service.output).toContain('client closed');
    expect(service.output).toContain('hooks ran');
  });

  it('G07 a second signal forces', async () => {
    const service = await start({
      SHUTDOWN_GRACE_PERIOD_SECONDS: '60',
      SHUTDOWN_READINESS_DELAY_SECONDS: '60',
    });
    const answer = call(`${service.url}/work?ms=60000`);
    await service.says('work began');
    service.signal();
    await service.says('SIGTERM: draining');
    await new Promise((resolve) => setTimeout(resolve, 150));

    const signalledAt = performance.now();
    service.signal();

    expect((await answer).status).toBe(503);
    expect(await service.ended).toBe('SIGTERM');
    expect(performance.now() - signalledAt).toBeLessThan(3_000);
    expect(service.output).toContain('SIGTERM again: not waiting for the 1 in flight');
    expect(service.output).toMatch(/0 finished, 1 cancelled, 0 forced/);
  });

  it('G07 a second signal ends a process whose hooks hang', async () => {
    const service = await start({ TEST_HOOK_MS: '60000' });
    service.signal();
    await service.says('client closed');
    await new Promise((resolve) => setTimeout(resolve, 150));

    service.signal();

    expect(await service.ended).toBe(1);
  });

  it('G09 drains without enableShutdownHooks(), and says what that leaves out', async () => {
    const service = await start({ TEST_HOOKS: 'none' });
    await service.says('Shutdown hooks are not enabled');
    const answer = call(`${service.url}/work?ms=300`);
    await service.says('work began');

    service.signal();

    expect((await answer).body).toBe('{"usable":true}');
    expect(await service.ended).toBe('SIGTERM');
    expect(service.output).toContain('1 finished, 0 cancelled, 0 forced');
    expect(service.output).not.toContain('client closed');
  });

  it('G04 work whose client has left is waited for', async () => {
    const service = await start();
    const connection = await RawConnection.open(service.port);
    connection.send(rawRequest('GET', '/deaf?ms=500'));
    await service.says('work began');
    connection.leave();

    service.signal();
    await service.ended;

    expect(service.output).toMatch(/Drained in 0\.[3456] s/);
  });
});
