import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { Body, Controller, Param, Post } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { Deadline } from 'nestjs-timeouts';
import type { TestAppSettings } from '../support/app.js';
import { closeApps, startApp, ADAPTER_STACKS } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { expectOnTime } from '../support/http-client.js';
import { RecordingLogger } from '../support/recording-logger.js';
import { SlowUpload } from '../support/slow-upload.js';
import { watchProcess } from '../support/watch-process.js';

const SHORT = 400;
const BODY = '{"text":"0123456789"}';
const HALF = BODY.length / 2;
const HEADERS = ['Content-Type: application/json', `Content-Length: ${BODY.length}`];
const LONG = 'x'.repeat(8_000);

@Controller('uploads')
class UploadController {
  @Deadline({ body: '60s' })
  @Post(':id/patient')
  patient(@Param('id') id: string, @Body() _body: unknown) {
    return { took: id };
  }

  @Post('plain')
  plain(@Body() _body: unknown) {
    return { took: 'plain' };
  }
}

@Controller('unmarked')
class UnmarkedController {
  @Post('plain')
  plain(@Body() _body: unknown) {
    return { took: 'plain' };
  }
}

/** Hides the router, as Express 4 and other adapters do. */
class OlderAdapter extends ExpressAdapter {
  override getInstance<T>(): T {
    return new Proxy(super.getInstance<object>(), {
      get: (express, key) => (key === 'router' ? undefined : Reflect.get(express, key, express)),
    }) as T;
  }
}

function rewrite(app: INestApplication): void {
  app.use((req: { url: string }, _res: unknown, next: () => void) => {
    req.url = req.url.replace('/old', '/uploads/new');
    next();
  });
}

const ON_EXPRESS = ADAPTER_STACKS.filter(({ adapter }) => adapter === 'express');

describe.each(ON_EXPRESS)(
  'URLs on Express that a route is told by early, $enforcement',
  (stack) => {
    let logger = new RecordingLogger();
    const incidents = watchProcess();
    const expectQuiet = () => {
      expect(incidents).toEqual([]);
      expect(logger.at('error', 'fatal')).toEqual([]);
    };

    const start = (settings: TestAppSettings = {}) =>
      startApp(stack, {
        controllers: [UploadController],
        options: { body: { idle: SHORT, minRate: 'none' } },
        nest: { logger },
        ...settings,
      });
    const begin = (port: number, path: string) =>
      SlowUpload.open(port, path, HEADERS, BODY.slice(0, HALF));

    beforeEach(() => {
      logger = new RecordingLogger();
      incidents.length = 0;
    });
    afterEach(async () => {
      await closeApps();
      expectQuiet();
    });

    it.each([
      ['in other letters', '/UPLOADS/7/Patient', '7'],
      ['with a slash at the end', '/uploads/7/patient/', '7'],
      ['with a query and a fragment', '/uploads/caf%C3%A9/patient?a=%zz#b', 'café'],
      ['with an encoded slash', '/uploads/a%2Fb/patient?to=/uploads/plain', 'a/b'],
      ['of 8 kB', `/uploads/${LONG}/patient`, LONG],
      ['in the absolute form', 'http://localhost/uploads/7/patient?x=http://elsewhere/', '7'],
      ['that middleware rewrites', '/old/patient', 'new'],
    ])('B09 a URL %s: the body has the time that its route gives it', async (_, path, id) => {
      const { port } = await start({ prepare: rewrite });
      const patient = await begin(port, path);
      const plain = await begin(port, '/uploads/plain');
      expect((await plain.answer()).status).toBe(408);

      patient.connection.send(BODY.slice(HALF));

      await patient.connection.receives(JSON.stringify({ took: id }));
      patient.connection.leave();
    });

    it.each([
      '/uploads/%zz/patient',
      '/uploads/7/patients',
      '/uploads//patient',
      '//uploads/7/patient',
      '/elsewhere/../uploads/7/patient',
      'http://localhost',
    ])('B09 the body of %s, which no route matches, has the default', async (path) => {
      const { port, outcomes } = await start();

      const answer = await (await begin(port, path)).answer();

      expect(answer.status).toBe(408);
      expectOnTime(answer, SHORT);
      expect(await eventually(() => outcomes[0])).toMatchObject({ name: '(no route)' });
    });

    it('B09 says so at boot when the router cannot be asked; routes work as before', async () => {
      const { port } = await start({ adapter: new OlderAdapter() });
      const said = logger.at('warn').filter((text) => text.includes('Express 5 can'));
      expect(said).toHaveLength(1);

      const answer = await (await begin(port, '/uploads/7/patient')).answer();

      expect(answer.status).toBe(408);
      const whole = await SlowUpload.open(port, '/uploads/7/patient', HEADERS, BODY);
      await whole.connection.receives('{"took":"7"}');
      whole.connection.leave();
    });

    it('B09 does not say so when no route has limits of its own', async () => {
      await start({ adapter: new OlderAdapter(), controllers: [UnmarkedController] });
      expect(logger.at('warn').filter((text) => text.includes('Express 5 can'))).toEqual([]);
    });
  },
);
