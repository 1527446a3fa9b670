import type { TypeOrmModuleOptions } from '@nestjs/typeorm';
import { withDeadlines } from 'nestjs-timeouts/typeorm';
import { Order } from '../orders/order.entity.js';
import type { Settings } from '../settings.js';
import { CreateOrders1700000000000 } from './migrations/1700000000000-create-orders.js';
import { SeedOrders1700000000001 } from './migrations/1700000000001-seed-orders.js';
import { CreateDocuments1700000000010 } from './migrations/1700000000010-create-documents.js';

/** Every query ends with the request it is made for: at its deadline, and when its client leaves. */
export function dataSourceOptions({ databaseUrl }: Settings): TypeOrmModuleOptions {
  if (!databaseUrl) throw new Error('DATABASE_URL is missing: `npm start` sets it');
  return withDeadlines({
    type: 'postgres',
    url: databaseUrl,
    applicationName: 'answers-api',
    entities: [Order],
    migrations: [CreateOrders1700000000000, SeedOrders1700000000001, CreateDocuments1700000000010],
    migrationsRun: true,
    // A database that is not there at boot is a fault to report, not one to wait 30 s for.
    toRetry: () => false,
  });
}
