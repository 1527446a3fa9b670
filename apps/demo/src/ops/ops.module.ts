import { Module } from '@nestjs/common';
import { TimeoutsHealthModule } from 'nestjs-timeouts/terminus';
import { DataSource } from 'typeorm';
import { PoolGauge } from './pool-gauge.js';
import { ProcessGauge } from './process-gauge.js';
import { TimeoutsController } from './timeouts.controller.js';

@Module({
  imports: [
    TimeoutsHealthModule.forRootAsync({
      inject: [DataSource],
      useFactory: (database: DataSource) => ({
        checks: {
          database: { check: () => ping(database), timeout: '1s', cacheFor: 0 },
        },
        startupChecks: { migrations: () => database.isInitialized },
      }),
    }),
  ],
  controllers: [TimeoutsController],
  providers: [PoolGauge, ProcessGauge],
})
export class OpsModule {}

async function ping(database: DataSource): Promise<void> {
  await database.query('SELECT 1');
}
