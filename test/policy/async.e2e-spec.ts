import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, Injectable, Module } from '@nestjs/common';
import type { TimeoutsModuleOptions, TimeoutsOptionsFactory } from 'nestjs-timeouts';
import { currentScope, TimeoutsConfigurationError, TimeoutsModule } from 'nestjs-timeouts';
import { setTimeout as sleep } from 'node:timers/promises';
import { closeApps, startApp, STACKS } from '../support/app.js';
import { readBootTable } from '../support/boot-table.js';
import { useEnvironment } from '../support/environment.js';
import { call, expectProblem } from '../support/http-client.js';
import { RecordingLogger } from '../support/recording-logger.js';

@Injectable()
class Settings {
  readonly handler = '70s';
}

@Module({ providers: [Settings], exports: [Settings] })
class SettingsModule {}

@Controller()
class LimitController {
  @Get('limit')
  limit() {
    return { timeoutMs: Math.round(currentScope().timeoutMs) };
  }

  @Get('slow')
  slow() {
    return sleep(400);
  }
}

describe.each(STACKS)('forRootAsync, on $adapter with $enforcement', (stack) => {
  const { enforcement } = stack;
  const setEnvironment = useEnvironment();
  const logger = new RecordingLogger();

  @Injectable()
  class FromSettings implements TimeoutsOptionsFactory {
    constructor(private readonly settings: Settings) {}

    async createTimeoutsOptions(): Promise<TimeoutsModuleOptions> {
      await sleep(1);
      return { enforcement, handler: this.settings.handler as '70s' };
    }
  }

  @Injectable()
  class Standalone implements TimeoutsOptionsFactory {
    createTimeoutsOptions(): TimeoutsModuleOptions {
      return { enforcement, handler: '80s' };
    }
  }

  @Module({ imports: [SettingsModule], providers: [FromSettings], exports: [FromSettings] })
  class FactoryModule {}

  const limitUnder = async (timeouts: ReturnType<typeof TimeoutsModule.forRootAsync>) => {
    logger.entries.length = 0;
    const controllers = [LimitController];
    const { url } = await startApp(stack, { controllers, timeouts, nest: { logger } });
    return JSON.parse((await call(`${url}/limit`)).body).timeoutMs;
  };

  afterEach(closeApps);

  it('P11 takes options from useFactory, with imports and inject', async () => {
    const timeouts = TimeoutsModule.forRootAsync({
      imports: [SettingsModule],
      inject: [Settings],
      useFactory: async ({ handler }: Settings) => {
        await sleep(1);
        return { enforcement, handler: handler as '70s' };
      },
    });
    expect(await limitUnder(timeouts)).toBe(70_000);
    const table = readBootTable(logger);
    expect(table.get('handler')).toBe('70s option');
    expect(table.get('enforcement')).toBe(`${enforcement} option`);
  });

  it('P11 takes options from useClass', async () => {
    expect(await limitUnder(TimeoutsModule.forRootAsync({ useClass: Standalone }))).toBe(80_000);
  });

  it('P11 takes options from useClass with dependencies', async () => {
    const timeouts = TimeoutsModule.forRootAsync({
      imports: [SettingsModule],
      useClass: FromSettings,
    });
    expect(await limitUnder(timeouts)).toBe(70_000);
  });

  it('P11 takes options from useExisting', async () => {
    const timeouts = TimeoutsModule.forRootAsync({
      imports: [FactoryModule],
      useExisting: FromSettings,
    });
    expect(await limitUnder(timeouts)).toBe(70_000);
  });

  it('P11 keeps variables and defaults below them, and enforces the result', async () => {
    setEnvironment({ REQUEST_TIMEOUT_SECONDS: '0.2', SHUTDOWN_GRACE_PERIOD_SECONDS: '1' });
    const timeouts = TimeoutsModule.forRootAsync({ useFactory: () => ({ enforcement }) });
    const { url } = await startApp(stack, { controllers: [LimitController], timeouts });
    expectProblem(await call(`${url}/slow`), 200);
  });

  it.each([
    ['bad options', () => ({ handler: 0 }), 'handler is 0'],
    ['no options', () => undefined as never, 'the options of TimeoutsModule is undefined'],
  ])('P11 refuses %s at boot', async (_what, useFactory, fault) => {
    const timeouts = TimeoutsModule.forRootAsync({ useFactory });
    const error = await startApp(stack, { timeouts }).catch((caught) => caught);
    expect(error).toBeInstanceOf(TimeoutsConfigurationError);
    expect(error.faults[0]).toContain(fault);
  });
});
