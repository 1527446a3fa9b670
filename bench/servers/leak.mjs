import { getEventListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Controller, Get, Post } from '@nestjs/common';
import { listen, portOf } from '../harness/app.mjs';
import { serve } from '../harness/child.mjs';

const LIMIT = '20ms';

class LeakController {
  async normal() {
    await sleep(1);
    return { ok: true };
  }

  async obeys() {
    await sleep(60_000, undefined, { signal: currentScope().signal });
  }

  async ignores() {
    await sleep(40);
    return { too: 'late' };
  }

  async abandoned() {
    await sleep(60_000, undefined, { signal: currentScope().signal });
  }

  async upload() {
    return { never: 'reached, the body is cut off' };
  }
}

const [adapter] = process.argv.slice(2);
let app;
let currentScope;
let drain;
let sockets = 0;

serve({
  async start() {
    const timeouts = await import('nestjs-timeouts');
    currentScope = timeouts.currentScope;
    decorate(timeouts.Deadline);
    app = await listen(adapter, {
      controllers: [LeakController],
      module: { imports: [timeouts.TimeoutsModule.forRoot()] },
    });
    drain = app.get(timeouts.DrainService, { strict: false });
    app.getHttpServer().on('connection', (socket) => {
      sockets++;
      socket.once('close', () => sockets--);
    });
    return { port: portOf(app), node: process.version };
  },

  /** What is held once all is quiet. */
  async held() {
    for (let patience = 100; patience > 0 && (sockets || drain.inFlight); patience--) {
      await sleep(50);
    }
    for (let i = 0; i < 5; i++) {
      globalThis.gc();
      await sleep(100);
    }
    const resources = {};
    for (const type of process.getActiveResourcesInfo()) {
      resources[type] = (resources[type] ?? 0) + 1;
    }
    return {
      'heap in kB': Math.round(process.memoryUsage().heapUsed / 1_000),
      'requests in flight': drain.inFlight,
      'open connections': sockets,
      'listeners on the process': listenersOf(process),
      'listeners on the server': listenersOf(app.getHttpServer()),
      'listeners on the application signal': applicationListeners(),
      ...resources,
    };
  },
});

// By hand, since benchmarks run without a compiler.
function decorate(Deadline) {
  const apply = (name, ...decorators) => {
    const { prototype } = LeakController;
    const descriptor = Object.getOwnPropertyDescriptor(prototype, name);
    for (const decorator of decorators) decorator(prototype, name, descriptor);
  };
  apply('normal', Get('normal'));
  apply('obeys', Get('obeys'), Deadline(LIMIT));
  apply('abandoned', Get('abandoned'));
  apply('ignores', Get('ignores'), Deadline(LIMIT));
  apply('upload', Post('upload'));
  Controller()(LeakController);
}

function listenersOf(emitter) {
  return emitter.eventNames().reduce((sum, name) => sum + emitter.listenerCount(name), 0);
}

/** Outside any request the current scope is the application's. */
function applicationListeners() {
  return getEventListeners(currentScope().signal, 'abort').length;
}
