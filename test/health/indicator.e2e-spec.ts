import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, Inject } from '@nestjs/common';
import { HealthCheck, HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { DrainHealthIndicator } from 'nestjs-timeouts/terminus';
import { closeApps, STACKS, startApp } from '../support/app.js';
import { probe, up, well } from './fixtures/probe.js';

afterEach(closeApps);

@Controller('health')
class HealthController {
  constructor(
    @Inject(HealthCheckService) private readonly health: HealthCheckService,
    @Inject(DrainHealthIndicator) private readonly drain: DrainHealthIndicator,
  ) {}

  @Get()
  @HealthCheck()
  check() {
    return this.health.check([() => this.drain.isHealthy(), () => this.drain.isHealthy('traffic')]);
  }
}

describe.each(STACKS)('the drain indicator on $adapter, $enforcement', (stack) => {
  it('K02 is up while the application serves, and down from the moment it drains', async () => {
    const { url, drain } = await startApp(stack, {
      imports: [TerminusModule.forRoot({ logger: false })],
      controllers: [HealthController],
      providers: [DrainHealthIndicator],
    });
    const before = await probe(url, '/health');

    await drain.drain();
    const after = await probe(url, '/health');

    const running = { ...up, state: 'running' };
    expect(before).toMatchObject({
      status: 200,
      body: well({ drain: running, traffic: running }),
    });
    const draining = { status: 'down', state: 'draining' };
    expect(after).toMatchObject({
      status: 503,
      body: { status: 'error', info: {}, error: { drain: draining, traffic: draining } },
    });
  });
});
