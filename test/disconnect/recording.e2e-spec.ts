import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { CanActivate, ExceptionFilter, NestInterceptor, PipeTransform } from '@nestjs/common';
import { Catch, Controller, Get, Query, UseFilters, UseGuards } from '@nestjs/common';
import { UseInterceptors } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { once } from 'node:events';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { CancelSignal, currentScope } from 'nestjs-timeouts';
import { from, map, mergeMap } from 'rxjs';
import { closeApps, startApp, STACKS } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { Notes } from '../support/notes.js';
import { RawConnection, rawRequest } from '../support/raw-connection.js';
import { RecordingLogger } from '../support/recording-logger.js';
import { watchProcess } from '../support/watch-process.js';

let notes = new Notes();

/** Long enough past its cancel to count as late. */
async function untilLate(): Promise<void> {
  const { signal } = currentScope();
  notes.add('started');
  await once(signal, 'abort');
  await sleep(60);
  notes.add('stopped');
}

async function failLate(): Promise<never> {
  await untilLate();
  throw new Error('late failure');
}

class FailingGuard implements CanActivate {
  canActivate(): Promise<boolean> {
    return failLate();
  }
}

class FailingPipe implements PipeTransform {
  transform(): Promise<never> {
    return failLate();
  }
}

const failingBefore: NestInterceptor = {
  intercept: (_context, next) => from(failLate()).pipe(mergeMap(() => next.handle())),
};

const failingAfter: NestInterceptor = {
  intercept: (_context, next) =>
    next.handle().pipe(
      map(() => {
        throw new Error('late failure');
      }),
    ),
};

@Catch()
class NotingFilter implements ExceptionFilter {
  catch(error: unknown): void {
    notes.add(`filter: ${String(error)}`);
  }
}

@Controller()
class RecordedController {
  @Get('cooperative')
  async cooperative(@CancelSignal() signal: AbortSignal) {
    notes.add('started');
    await once(signal, 'abort');
    notes.add('stopped');
    throw signal.reason;
  }

  @Get('wrapping')
  async wrapping(@CancelSignal() signal: AbortSignal) {
    notes.add('started');
    await once(signal, 'abort');
    notes.add('stopped');
    throw new Error('wrapped', { cause: signal.reason });
  }

  @Get('deaf')
  async deaf() {
    await untilLate();
    return { too: 'late' };
  }

  @Get('deaf-failing')
  deafFailing() {
    return failLate();
  }

  @UseInterceptors(failingAfter)
  @Get('deaf-intercepted')
  async deafIntercepted() {
    await untilLate();
  }

  @UseGuards(FailingGuard)
  @Get('guard')
  guard() {
    notes.add('handler ran');
  }

  @UseInterceptors(failingBefore)
  @Get('interceptor')
  interceptor() {
    notes.add('handler ran');
  }

  @Get('pipe')
  pipe(@Query('q', FailingPipe) _q: unknown) {
    notes.add('handler ran');
  }
}

@UseFilters(NotingFilter)
@Controller()
class FilteredController extends RecordedController {}

const DEAF = ['deaf', 'deaf-failing', 'deaf-intercepted'];
/** What an interceptor of ours has let go of: with `enforcement: 'interceptor'` nobody hears of it. */
const IN_CHAIN = ['interceptor', 'pipe'];
const KINDS = ['cooperative', 'wrapping', ...DEAF, 'guard', ...IN_CHAIN];

describe.each(STACKS)(
  'the record of a client that left, on $adapter with $enforcement',
  (stack) => {
    let logger = new RecordingLogger();
    const incidents = watchProcess();

    beforeEach(() => {
      notes = new Notes();
      logger = new RecordingLogger();
      incidents.length = 0;
    });
    afterEach(closeApps);

    const inChain = stack.enforcement === 'auto' ? IN_CHAIN : [];
    const told = new Set([...DEAF, 'guard', ...inChain]);
    const expectQuiet = async (kind: string, own: boolean) => {
      const { port, outcomes, late, monitor } = await startApp(stack, {
        controllers: [own ? FilteredController : RecordedController],
        providers: own ? [{ provide: APP_FILTER, useClass: NotingFilter }] : [],
        nest: { logger },
      });
      const client = await RawConnection.open(port);
      client.send(rawRequest('GET', `/${kind}`));
      await notes.seen('started');
      client.leave();
      await notes.seen('stopped');
      await eventually(() => monitor.snapshot().inFlight.length === 0);
      for (let turns = 0; turns < 20; turns++) await turn();
      expect(outcomes).toHaveLength(1);
      expect(outcomes[0]).toMatchObject({
        kind: 'request',
        name: `GET /${kind}`,
        result: 'disconnect',
        status: 499,
        late: DEAF.includes(kind) || kind === 'cooperative' || kind === 'wrapping',
      });
      expect(late.map(({ reason }) => reason)).toEqual(told.has(kind) ? ['disconnect'] : []);
      expect(notes.all).toEqual(['started', 'stopped']);
      expect(logger.at('error', 'fatal', 'warn')).toEqual([]);
      expect(incidents).toEqual([]);
    };

    it.each(KINDS)('D07 is 499 in the outcome and nothing in the log: %s', async (kind) => {
      await expectQuiet(kind, false);
    });

    it.each(KINDS)('D07 never calls an exception filter: %s', async (kind) => {
      await expectQuiet(kind, true);
    });

    it('D07 keeps the filters of requests whose client waits', async () => {
      const { url } = await startApp(stack, { controllers: [FaultController], nest: { logger } });
      expect((await fetch(`${url}/fault`)).status).toBe(418);
    });
  },
);

@Catch()
class TeapotFilter implements ExceptionFilter {
  catch(_error: unknown, host: { getArgByIndex(index: number): never }): void {
    const response = host.getArgByIndex(1) as { raw?: unknown };
    const raw = (response.raw ?? response) as { statusCode: number; end(): void };
    raw.statusCode = 418;
    raw.end();
  }
}

@Controller()
class FaultController {
  @UseFilters(TeapotFilter)
  @Get('fault')
  fault() {
    throw new Error('fault');
  }
}
