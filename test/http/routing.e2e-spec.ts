import { afterEach, describe, expect, it } from '@jest/globals';
import type { CanActivate, Type } from '@nestjs/common';
import {
  All,
  Controller,
  Get,
  Head,
  Injectable,
  Module,
  Options,
  Post,
  Scope,
  UseGuards,
  Version,
  VersioningType,
} from '@nestjs/common';
import { RouterModule } from '@nestjs/core';
import { setTimeout as delay } from 'node:timers/promises';
import { Deadline } from 'nestjs-timeouts';
import type { TestAppSettings } from '../support/app.js';
import { closeApps, startApp, STACKS } from '../support/app.js';
import type { Call } from '../support/http-client.js';
import { call, expectProblem } from '../support/http-client.js';
import { Notes } from '../support/notes.js';

const LIMIT = 150;

let notes = new Notes();

/** Lets every request through, but too late. */
@Injectable()
class SlowGuard implements CanActivate {
  async canActivate() {
    await delay(LIMIT + 50);
    setImmediate(() => notes.add('guard done'));
    return true;
  }
}

function start(): string {
  notes.add('handler');
  return 'too late';
}

@UseGuards(SlowGuard)
class BaseRoutes {
  @Deadline(LIMIT)
  @Get('inherited')
  inherited() {
    return start();
  }
}

@Deadline(LIMIT)
@UseGuards(SlowGuard)
@Controller('routes')
class RoutesController extends BaseRoutes {
  @All('all')
  all() {
    return start();
  }

  @Get('wild/*')
  wild() {
    return start();
  }

  @Get(['first', 'second/:id'])
  several() {
    return start();
  }

  @Post('post')
  post() {
    return start();
  }

  @Head('head')
  head() {
    return start();
  }

  @Options('options')
  options() {
    return start();
  }
}

@Controller({ path: 'request', scope: Scope.REQUEST })
class RequestScopedController extends BaseRoutes {}

@UseGuards(SlowGuard)
@Deadline(LIMIT)
@Controller({ host: ':tenant.example.test' })
class HostController {
  @Get('host')
  get() {
    return start();
  }
}

@UseGuards(SlowGuard)
@Deadline('20s')
@Controller({ path: 'versioned', version: '1' })
class VersionedController {
  @Deadline(LIMIT)
  @Get()
  first() {
    return start();
  }

  @Version('2')
  @Deadline(LIMIT)
  @Get()
  second() {
    return start();
  }
}

@Module({ controllers: [RoutesController] })
class MountedModule {}

type Kind = [kind: string, settings: TestAppSettings, calls: [path: string, call?: Call][]];

const host = { host: 'shop.example.test' };

const KINDS: Kind[] = [
  [
    'all kinds of routes',
    { controllers: [RoutesController, RequestScopedController, HostController] as Type[] },
    [
      ['/routes/inherited'],
      ['/request/inherited'],
      ['/routes/all', { method: 'PUT' }],
      ['/routes/wild/a/b'],
      ['/routes/first'],
      ['/routes/second/2?x=1'],
      ['/routes/post', { method: 'POST' }],
      ['/routes/options', { method: 'OPTIONS' }],
      ['/host', { headers: host }],
    ],
  ],
  [
    'a global prefix and versions in the URL',
    {
      controllers: [VersionedController],
      prepare: (app) => void app.setGlobalPrefix('api').enableVersioning(),
    },
    [['/api/v1/versioned'], ['/api/v2/versioned']],
  ],
  [
    'versions in a header',
    {
      controllers: [VersionedController],
      prepare: (app) =>
        void app.enableVersioning({ type: VersioningType.HEADER, header: 'x-version' }),
    },
    [
      ['/versioned', { headers: { 'x-version': '1' } }],
      ['/versioned', { headers: { 'x-version': '2' } }],
    ],
  ],
  [
    'versions in the media type',
    {
      controllers: [VersionedController],
      prepare: (app) => void app.enableVersioning({ type: VersioningType.MEDIA_TYPE, key: 'v=' }),
    },
    [
      ['/versioned', { headers: { accept: 'application/json;v=1' } }],
      ['/versioned', { headers: { accept: 'application/json;v=2' } }],
    ],
  ],
  [
    'a module mounted by RouterModule',
    { imports: [MountedModule, RouterModule.register([{ path: 'sub', module: MountedModule }])] },
    [['/sub/routes/all'], ['/sub/routes/wild/x']],
  ],
];

describe.each(STACKS)('routes on $adapter, $enforcement', (stack) => {
  afterEach(async () => {
    notes = new Notes();
    await closeApps();
  });

  it.each(KINDS)(
    'H10 the deadline of the route holds, and its handler never starts late: %s',
    async (_, settings, calls) => {
      const { url, outcomes } = await startApp(stack, settings);

      const answers = await Promise.all(calls.map(([path, how]) => call(url + path, how)));

      for (const answer of answers) {
        expect(expectProblem(answer, LIMIT)).toMatchObject({ timeoutMs: LIMIT });
      }
      await notes.seen('guard done', calls.length);
      await delay(30);
      expect(notes.count('handler')).toBe(0);
      expect(outcomes.map(({ name }) => name)).not.toContain('(no route)');
    },
  );
});
