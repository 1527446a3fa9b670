import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { PoolGauge } from './pool-gauge.js';
import { ProbesController } from './probes.controller.js';
import { ProcessGauge } from './process-gauge.js';
import { TimeoutsController } from './timeouts.controller.js';

@Module({
  // A probe that fails is an answer, not an error worth a log line each time.
  imports: [TerminusModule.forRoot({ logger: false })],
  controllers: [ProbesController, TimeoutsController],
  providers: [PoolGauge, ProcessGauge],
})
export class OpsModule {}
