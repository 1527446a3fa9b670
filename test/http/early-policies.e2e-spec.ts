import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ExecutionContext } from '@nestjs/common';
import { Controller, Get, Param, VersioningType } from '@nestjs/common';
import { Deadline } from 'nestjs-timeouts';
import { closeApps, startApp, ADAPTER_STACKS } from '../support/app.js';
import { call, expectProblem } from '../support/http-client.js';
import { Notes } from '../support/notes.js';
import { RecordingLogger } from '../support/recording-logger.js';
import { watchProcess } from '../support/watch-process.js';

const SHORT = 200;

let notes = new Notes();
let release: () => void = () => {};
let gate: Promise<void> = Promise.resolve();

interface Asked {
  readonly params: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
}

@Controller()
class PolicyController {
  @Deadline((context: ExecutionContext) => {
    const { params, headers } = context.switchToHttp().getRequest<Asked>();
    notes.add(`${params['id']} for ${headers['x-plan']}`);
    return headers['x-plan'] === 'slow' ? '60s' : SHORT;
  })
  @Get('reports/:id')
  report(@Param('id') id: string) {
    return id;
  }

  @Deadline(() => {
    notes.add('asked');
    throw new Error('not now');
  })
  @Get('failing')
  failing() {
    return 'failing';
  }
}

@Controller({ path: 'versioned', version: '1' })
class FirstVersion {
  @Deadline(() => {
    notes.add('asked the first');
    throw new Error('not this one');
  })
  @Get()
  get() {
    return 'first';
  }
}

@Controller({ path: 'versioned', version: '2' })
class SecondVersion {
  @Get()
  get() {
    return 'second';
  }
}

describe.each(ADAPTER_STACKS)('policy functions asked early on $adapter, $enforcement', (stack) => {
  let logger = new RecordingLogger();
  const incidents = watchProcess();
  const expectQuiet = () => expect(incidents).toEqual([]);

  beforeEach(() => {
    notes = new Notes();
    logger = new RecordingLogger();
    gate = new Promise((resolve) => (release = resolve));
    incidents.length = 0;
  });
  afterEach(async () => {
    release();
    await closeApps();
    expectQuiet();
  });

  /** Middleware holds every request back until the test says so. */
  const start = () =>
    startApp(stack, {
      controllers: [PolicyController],
      options: { handler: SHORT },
      nest: { logger },
      prepare: (app) =>
        void app.use(async (req: { params?: unknown }, _res: unknown, next: () => void) => {
          const before = req.params;
          notes.add('held');
          await gate;
          notes.add(req.params === before ? 'untouched' : 'changed');
          next();
        }),
    });

  it('P13 they see parameters and headers before the route is reached, and again there', async () => {
    const { url } = await start();
    const waiting = call(`${url}/reports/caf%C3%A9`, { headers: { 'x-plan': 'slow' } });
    await notes.seen('held');
    const cut = await call(`${url}/reports/8`, { headers: { 'x-plan': 'none' } });
    expectProblem(cut, SHORT);
    expect(notes.all).toContain('8 for none');
    expect(notes.count('café for slow')).toBe(1);

    release();

    expect(await waiting).toMatchObject({ status: 200, body: 'café' });
    expect(notes.count('café for slow')).toBe(2);
    expect(notes.all).not.toContain('changed');
  });

  it('P13 one that fails early changes nothing, and is reported where the route is reached', async () => {
    const { url, outcomes } = await start();

    expectProblem(await call(`${url}/failing`), SHORT);

    expect(notes.count('asked')).toBe(1);
    expect(outcomes[0]).toMatchObject({ name: 'GET /failing', result: 'deadline' });
    expect(logger.at('error', 'fatal')).toEqual([]);
    release();
    expect(await call(`${url}/failing`)).toMatchObject({ status: 500 });
    expect(notes.count('asked')).toBe(2);
    expect(logger.at('error').join()).toContain('not now');
  });

  it('P13 the function of one version is not asked for a request of another', async () => {
    const { url } = await startApp(stack, {
      controllers: [FirstVersion, SecondVersion],
      nest: { logger },
      prepare: (app) =>
        void app.enableVersioning({ type: VersioningType.HEADER, header: 'x-version' }),
    });

    const { status, body } = await call(`${url}/versioned`, { headers: { 'x-version': '2' } });

    expect([status, body]).toEqual([200, 'second']);
    expect(notes.all).toEqual([]);
  });
});
