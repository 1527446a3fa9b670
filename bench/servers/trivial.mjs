import { Controller, Get } from '@nestjs/common';
import { listen, portOf } from '../harness/app.mjs';
import { serve } from '../harness/child.mjs';
import { variants } from '../variants.mjs';

class TrivialController {
  async get() {
    return { ok: true };
  }
}
const { prototype } = TrivialController;
Get()(prototype, 'get', Object.getOwnPropertyDescriptor(prototype, 'get'));
Controller()(TrivialController);

const [adapter, variant] = process.argv.slice(2);

serve({
  async start() {
    const parts = await variants[variant]();
    const app = await listen(adapter, { controllers: [TrivialController], ...parts });
    return { port: portOf(app), node: process.version };
  },
  cpuMicroseconds() {
    const { user, system } = process.cpuUsage();
    return user + system;
  },
});
