import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { Controller, Get, Version, VersioningType } from '@nestjs/common';
import { AsyncResource } from 'node:async_hooks';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { currentScope, Deadline, SkipTimeout } from 'nestjs-timeouts';
import type { TestAppSettings } from '../support/app.js';
import { closeApps, startApp, ADAPTER_STACKS } from '../support/app.js';
import type { Call } from '../support/http-client.js';
import { call, expectProblem } from '../support/http-client.js';
import { Notes } from '../support/notes.js';
import { watchProcess } from '../support/watch-process.js';
import { forever } from '../support/work.js';

const SHORT = 200;
const LONGER = 600;

let notes = new Notes();
let held: (() => void)[] | undefined;

/** Middleware that holds every request back until the test says so. */
function hold(_req: IncomingMessage, _res: ServerResponse, next: () => void): void {
  notes.add('held');
  const goOn = AsyncResource.bind(next);
  if (held) held.push(goOn);
  else goOn();
}

function release(): void {
  const next = held ?? [];
  held = undefined;
  next.forEach((goOn) => goOn());
}

@Controller('slow')
class SlowController {
  @Deadline('60s')
  @Get('longer')
  longer() {
    return 'longer';
  }

  @SkipTimeout()
  @Get('lifted')
  lifted() {
    return 'lifted';
  }

  @Deadline(LONGER)
  @Get('measured')
  measured() {
    notes.add('handler');
    return forever();
  }

  @Get('plain')
  plain() {
    return 'plain';
  }
}

@Controller('slow/versioned')
class VersionedController {
  @Version('1')
  @Get()
  first() {
    return 'first';
  }

  @Deadline('60s')
  @Version('2')
  @Get()
  second() {
    return 'second';
  }
}

@Deadline('60s')
@Controller({ path: 'slow', host: ':tenant.example.test' })
class HostController {
  @Get('plain')
  get() {
    return 'of the tenant';
  }
}

type Kind = [kind: string, settings: TestAppSettings, path: string, how: Call, body: string];

const controllers = [SlowController];

const ON_BOTH: Kind[] = [
  ['a longer deadline', { controllers }, '/slow/longer', {}, 'longer'],
  ['no deadline', { controllers }, '/slow/lifted', {}, 'lifted'],
  ['HEAD', { controllers }, '/slow/longer', { method: 'HEAD' }, ''],
  ['a query', { controllers }, `/slow/longer?to=/slow/plain&at=${'x'.repeat(8_000)}`, {}, 'longer'],
  [
    'a global prefix',
    { controllers, prepare: (app) => void app.setGlobalPrefix('api') },
    '/api/slow/longer',
    {},
    'longer',
  ],
  [
    'a version in a header',
    {
      controllers: [VersionedController],
      prepare: (app) => void app.enableVersioning({ type: VersioningType.HEADER, header: 'x-v' }),
    },
    '/slow/versioned',
    { headers: { 'x-v': '2' } },
    'second',
  ],
];

/** What Fastify does not do unless it is told to, or not at all. */
const ON_EXPRESS: Kind[] = [
  ['other letters and a slash at the end', { controllers }, '/SLOW/Longer/', {}, 'longer'],
  [
    'a host',
    { controllers: [HostController, SlowController] },
    '/slow/plain',
    { headers: { host: 'shop.example.test' } },
    'of the tenant',
  ],
];

describe.each(ADAPTER_STACKS)('routes known early on $adapter, $enforcement', (stack) => {
  const incidents = watchProcess();
  const expectQuiet = () => expect(incidents).toEqual([]);

  beforeEach(() => {
    notes = new Notes();
    held = [];
    incidents.length = 0;
  });
  afterEach(async () => {
    release();
    await closeApps();
    expectQuiet();
  });

  const start = (settings: TestAppSettings, use = (app: INestApplication) => void app.use(hold)) =>
    startApp(stack, {
      ...settings,
      options: { handler: SHORT },
      prepare: async (app) => {
        await settings.prepare?.(app);
        use(app);
      },
    });

  it.each(stack.adapter === 'express' ? [...ON_BOTH, ...ON_EXPRESS] : ON_BOTH)(
    'H12 slow middleware runs under the longer limit of the route: %s',
    async (_, settings, path, how, body) => {
      const { url, outcomes } = await start(settings);
      const waiting = call(url + path, how);
      await notes.seen('held');
      const cut = await call(`${url}/unknown`);
      expectProblem(cut, SHORT);
      const elsewhere = {
        ...how,
        method: 'GET',
        headers: { ...how.headers, 'x-v': '1', host: 'localhost' },
      };
      expectProblem(await call(url + path.replace(/longer|lifted/i, 'plain'), elsewhere), SHORT);
      expect(outcomes.map(({ name }) => name)).toContain('(no route)');

      release();

      expect(await waiting).toMatchObject({ status: 200, body, whole: true });
    },
  );

  it('H12 the longer limit is measured from the start of the request', async () => {
    const { url } = await start({ controllers });
    const waiting = call(`${url}/slow/measured`);
    await notes.seen('held');
    expectProblem(await call(`${url}/slow/plain`), SHORT);

    release();

    expect(expectProblem(await waiting, LONGER)).toMatchObject({ timeoutMs: LONGER });
    await notes.seen('handler');
  });

  it('H12 a longer limit that passes before the route is reached ends the request', async () => {
    const { url, outcomes } = await start({ controllers });

    const answer = await call(`${url}/slow/measured`);

    expect(expectProblem(answer, LONGER)).toMatchObject({ timeoutMs: LONGER });
    expect(outcomes[0]).toMatchObject({ name: 'GET /slow/measured', result: 'deadline' });
  });

  it('H12 middleware that is mounted on a path runs under it too', async () => {
    const { url } = await start({ controllers }, (app) => void app.use('/slow', hold));
    const waiting = call(`${url}/slow/longer?x=1`);
    await notes.seen('held');
    expectProblem(await call(`${url}/slow/plain`), SHORT);

    release();

    expect(await waiting).toMatchObject({ status: 200, body: 'longer' });
  });

  it('H12 a deadline that middleware sets is not lifted by the route', async () => {
    const set = (req: IncomingMessage, res: ServerResponse, next: () => void) => {
      currentScope().setDeadline(SHORT / 2);
      hold(req, res, next);
    };
    const { url } = await start({ controllers }, (app) => void app.use(set));

    expectProblem(await call(`${url}/slow/longer`), SHORT / 2);
  });
});
