import { afterEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Notes } from '../../../../test/support/notes.js';
import { SlowUpload } from '../../../../test/support/slow-upload.js';
import { PHASES } from '../../../../test/support/stall-phases.js';
import { uploadSteadily } from '../../../../test/support/steady-upload.js';
import { block } from '../../../../test/support/work.js';
import { openApplicationScope } from '../core/current-scope.js';
import { defaultRoutePolicy } from '../policy/route-policy.js';
import { resolveOptions } from '../policy/resolve-options.js';
import { AnswerQueue } from './answer-queue.js';
import type { AfterPoll } from './after-poll.js';
import { BodyWatch } from './body-watch.js';
import { HttpExchange } from './http-exchange.js';
import type { Inbound } from './inbound.js';

const UPLOAD = { path: '/', pieces: 40, size: 100, everyMs: 50 };
const options = resolveOptions({ handler: '20s', body: { idle: '300ms' } }, {});

function inboundWithoutRoutes(isSuspended?: () => boolean): Inbound {
  const inbound: Partial<Inbound> = {
    root: openApplicationScope({ isSuspended }),
    defaults: defaultRoutePolicy(options),
    backstopMs: 100,
    answers: new AnswerQueue(),
    routes: { identify() {}, allowsMore: () => false } as unknown as Inbound['routes'],
  };
  return inbound as Inbound;
}

describe('a body watch beside a plain HTTP server', () => {
  const server = createServer();
  afterEach(() => {
    server.removeAllListeners('request');
    server.close();
    server.closeAllConnections();
  });

  const stallIn = async (phase: string, afterPoll?: AfterPoll) => {
    const notes = new Notes();
    const inbound = inboundWithoutRoutes();
    server.on('request', (req: IncomingMessage, res: ServerResponse) => {
      const exchange = new HttpExchange(inbound, req, res);
      new BodyWatch(exchange, afterPoll).begin(exchange.scope.startedAt);
      req.on('data', () => notes.add('arrived'));
      req.on('end', () => res.end('{"complete":true}'));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const answered = uploadSteadily((server.address() as AddressInfo).port, UPLOAD);
    await notes.seen('arrived', 4);
    PHASES[phase]!(() => block(1_200));
    return answered;
  };

  it.each(Object.keys(PHASES))('B07 looks again after it has read what came: %s', async (phase) => {
    expect(await stallIn(phase)).toContain('{"complete":true}');
  });

  it.each(['immediate', 'I/O'])(
    'B07 cuts the same upload when it does not look: %s',
    async (phase) => {
      expect(await stallIn(phase, (fn) => fn())).toMatch(/^HTTP\/1\.1 408 .*nothing arrived/s);
    },
  );

  it('B02 begins anew once a debugger lets go of the process', async () => {
    let isHeld = true;
    const inbound = inboundWithoutRoutes(() => isHeld);
    server.on('request', (req: IncomingMessage, res: ServerResponse) => {
      const exchange = new HttpExchange(inbound, req, res);
      new BodyWatch(exchange).begin(exchange.scope.startedAt);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const upload = await SlowUpload.open(port, '/', ['Content-Length: 100'], 'part');
    await delay(900);
    expect(upload.connection.received).toBe('');
    isHeld = false;
    const releasedAt = performance.now();
    expect((await upload.answer()).status).toBe(408);
    expect(performance.now() - releasedAt).toBeGreaterThanOrEqual(300);
  });
});
