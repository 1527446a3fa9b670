import { setTimeout as sleep } from 'node:timers/promises';
import { Body, Controller, Get, HttpCode, Post } from '@nestjs/common';
import { listen, portOf } from '../harness/app.mjs';
import { serve } from '../harness/child.mjs';
import { memoryAfterCollection } from '../harness/memory.mjs';

const SAMPLED_EVERY_MS = 50;
const NO_LIMITS = { idle: 'none', minRate: 'none', total: 'none' };

class PlainController {
  async sleep() {
    await sleep(1);
    return { ok: true };
  }

  json() {
    return { ok: true };
  }
}

// By hand, since benchmarks run without a compiler.
const { prototype } = PlainController;
Get('sleep')(prototype, 'sleep', Object.getOwnPropertyDescriptor(prototype, 'sleep'));
Post('json')(prototype, 'json', Object.getOwnPropertyDescriptor(prototype, 'json'));
HttpCode(200)(prototype, 'json', Object.getOwnPropertyDescriptor(prototype, 'json'));
Body()(prototype, 'json', 0);
Controller('lab')(PlainController);

const modules = {
  bare: () => ({}),
  ours: async () => withModule({}),
  'no body limits': async () => withModule({ body: NO_LIMITS }),
};

async function withModule(options) {
  const { TimeoutsModule } = await import('nestjs-timeouts');
  return { imports: [TimeoutsModule.forRoot(options)] };
}

const [adapter, variant] = process.argv.slice(2);

/** The demo's own routes for bodies, in an application with the module or without it. */
async function listenAs(name) {
  const { BodiesController } = await import('../../dist/apps/demo/lab/bodies.controller.js');
  const { keepRawBodies } = await import('../../dist/apps/demo/input/raw-body.js');
  const app = await listen(adapter, {
    controllers: [PlainController, BodiesController],
    module: await modules[name](),
    prepare: keepRawBodies,
  });
  return portOf(app);
}

let peak;
let sampler;

serve({
  async start() {
    return { port: await listenAs(variant), node: process.version };
  },

  /** The same without the module, in the same process. */
  async startBare() {
    return { port: await listenAs('bare') };
  },

  cpuMicroseconds() {
    const { user, system } = process.cpuUsage();
    return user + system;
  },

  memory: memoryAfterCollection,

  watchMemory() {
    const look = () => (peak = Math.max(peak, process.memoryUsage.rss()));
    peak = 0;
    look();
    sampler = setInterval(look, SAMPLED_EVERY_MS);
  },

  peakMemory() {
    clearInterval(sampler);
    return peak;
  },
});
