import type { TypeOrmModuleOptions } from '@nestjs/typeorm';
import { Order } from '../orders/order.entity.js';
import type { Settings } from '../settings.js';
import { CreateOrders1700000000000 } from './migrations/1700000000000-create-orders.js';
import { SeedOrders1700000000001 } from './migrations/1700000000001-seed-orders.js';

export function dataSourceOptions({ databaseUrl }: Settings): TypeOrmModuleOptions {
  if (!databaseUrl) throw new Error('DATABASE_URL is missing: `npm start` sets it');
  return {
    type: 'postgres',
    url: databaseUrl,
    applicationName: 'answers-api',
    entities: [Order],
    migrations: [CreateOrders1700000000000, SeedOrders1700000000001],
    migrationsRun: true,
    // A database that is not there at boot is a fault to report, not one to wait 30 s for.
    toRetry: () => false,
  };
}
