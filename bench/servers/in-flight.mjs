import { Controller, Get } from '@nestjs/common';
import { listen, portOf } from '../harness/app.mjs';
import { serve } from '../harness/child.mjs';

const TICK_MS = 1;

class CrowdedController {
  /** The same code in bare Nest and in ours: for the heap that a waiting request takes. */
  hold() {
    arrived();
    return new Promise((resolve) => held.push(resolve));
  }

  /** Gives up when it is told to, as a handler should. */
  obey() {
    arrived();
    const { signal } = currentScope();
    return new Promise((_, reject) => {
      const giveUp = () => {
        lastTold = performance.now();
        reject(signal.reason);
      };
      signal.addEventListener('abort', giveUp, { once: true });
    });
  }
}
for (const name of ['hold', 'obey']) {
  const { prototype } = CrowdedController;
  Get(name)(prototype, name, Object.getOwnPropertyDescriptor(prototype, name));
}
Controller()(CrowdedController);

const [adapter, variant, handler] = process.argv.slice(2);
let currentScope;
let drain;
let held = [];
let sockets = 0;
let arrivals = 0;
let firstArrival;
let lastArrival;
let firstEnd;
let lastTold;

function arrived() {
  lastArrival = performance.now();
  if (arrivals++ === 0) firstArrival = lastArrival;
}

serve({
  async start() {
    const parts = { controllers: [CrowdedController] };
    const timeouts = variant === 'ours' ? await import('nestjs-timeouts') : undefined;
    if (timeouts) parts.module = { imports: [timeouts.TimeoutsModule.forRoot({ handler })] };
    const app = await listen(adapter, parts);
    currentScope = timeouts?.currentScope;
    drain = timeouts && app.get(timeouts.DrainService, { strict: false });
    app.getHttpServer().on('connection', (socket) => {
      sockets++;
      socket.once('close', () => {
        sockets--;
        firstEnd ??= performance.now();
      });
    });
    return { port: portOf(app), node: process.version };
  },

  /** Until `count` requests wait in their handlers. */
  async arrivals(count) {
    while (arrivals < count) await new Promise((resolve) => setTimeout(resolve, 2));
  },

  forgetArrivals() {
    arrivals = 0;
  },

  async heapUsed() {
    for (let i = 0; i < 4; i++) {
      globalThis.gc();
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return process.memoryUsage().heapUsed;
  },

  /** Blocks until the last deadline has passed, so that all of them expire at the same time. */
  expireTogether(timeoutMs) {
    if (performance.now() > firstArrival + timeoutMs) {
      throw new Error(`Some expired before all had arrived: ${timeoutMs} ms are too few here`);
    }
    const blockMs = lastArrival + timeoutMs - performance.now() + 1;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, blockMs);
    firstEnd = performance.now();
    return untilSettled();
  },

  clientsLeave() {
    firstEnd = undefined;
    return untilSettled();
  },

  release() {
    for (const resolve of held) resolve();
    held = [];
  },
});

/** From the first end to the last, and the longest that the event loop had no turn meanwhile. */
function untilSettled() {
  let previous = performance.now();
  let longestBlockMs = 0;
  return new Promise((resolve) => {
    const ticker = setInterval(() => {
      const now = performance.now();
      longestBlockMs = Math.max(longestBlockMs, now - previous - TICK_MS);
      previous = now;
      if (!firstEnd || (drain ? drain.inFlight : sockets) > 0) return;
      clearInterval(ticker);
      resolve({ toldMs: lastTold - firstEnd, settledMs: now - firstEnd, longestBlockMs });
    }, TICK_MS);
  });
}
