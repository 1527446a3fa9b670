import { afterEach, describe, expect, it } from '@jest/globals';
import { closeApps, startApp, ADAPTER_STACKS } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { expectOnTime } from '../support/http-client.js';
import { SlowUpload } from '../support/slow-upload.js';
import type { Which } from '../support/upload-controllers.js';
import { TIGHT } from '../support/upload-controllers.js';
import { UPLOAD_KINDS } from '../support/upload-routes.js';

const SHORT = 400;
const BODY = '{"text":"0123456789"}';
const HALF = BODY.length / 2;

const limits = (idle: number) => ({ handler: '60s', body: { idle, minRate: 'none' } }) as const;

describe.each(ADAPTER_STACKS)('bodies on $adapter, $enforcement', (stack) => {
  afterEach(closeApps);

  describe.each(UPLOAD_KINDS)('by $kind', ({ settings, address }) => {
    const begin = (port: number, which: Which) => {
      const { path, headers } = address(which);
      const length = `Content-Length: ${BODY.length}`;
      return SlowUpload.open(port, path, [...headers, length], BODY.slice(0, HALF));
    };
    const finish = async ({ connection }: SlowUpload, which: Which) => {
      connection.send(BODY.slice(HALF));
      await connection.receives(`{"took":"${which}","length":${BODY.length}}`);
      expect(connection.received).toMatch(/^HTTP\/1.1 20[01] /);
      connection.leave();
    };

    it('B09 a route that allows for more is waited for, its neighbour is cut at the default', async () => {
      const { port, outcomes } = await startApp(stack, { ...settings, options: limits(SHORT) });
      const patient = await begin(port, 'patient');
      const lifted = await begin(port, 'lifted');
      const plain = await begin(port, 'plain');

      const answer = await plain.answer();

      expect(answer.status).toBe(408);
      expectOnTime(answer, SHORT);
      expect(JSON.parse(answer.body)).toMatchObject({ layer: 'body', timeoutMs: SHORT });
      const cut = await eventually(() => outcomes[0]);
      expect(cut.name).toMatch(/^(POST|ALL) \//);
      await finish(patient, 'patient');
      await finish(lifted, 'lifted');
    });

    it('B09 a route that allows for less is cut at its own limit, its neighbour is not', async () => {
      const { port, outcomes } = await startApp(stack, { ...settings, options: limits(60_000) });
      const plain = await begin(port, 'plain');
      const tight = await begin(port, 'tight');

      const answer = await tight.answer();

      expect(answer.status).toBe(408);
      expectOnTime(answer, TIGHT);
      expect(JSON.parse(answer.body)).toMatchObject({ layer: 'body', timeoutMs: TIGHT });
      const cut = await eventually(() => outcomes[0]);
      expect(cut).toMatchObject({ result: 'deadline', layer: 'body' });
      expect(cut.name).not.toBe('(no route)');
      await finish(plain, 'plain');
    });
  });
});
