import { Module } from '@nestjs/common';
import type { DynamicModule } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { TimeoutsModule } from 'nestjs-timeouts';
import { ChatModule } from './chat/chat.module.js';
import { dataSourceOptions } from './database/data-source-options.js';
import { DocumentsModule } from './documents/documents.module.js';
import { LabModule } from './lab/lab.module.js';
import { OpsModule } from './ops/ops.module.js';
import { OrdersModule } from './orders/orders.module.js';
import { ReportModule } from './report/report.module.js';
import { recentSearchesOptions } from './search/recent-searches.options.js';
import { SearchModule } from './search/search.module.js';
import { SettingsModule } from './settings.module.js';
import type { Settings } from './settings.js';
import { UpstreamModule } from './upstream/upstream.module.js';

@Module({})
export class AppModule {
  static with(settings: Settings): DynamicModule {
    return {
      module: AppModule,
      imports: [
        TimeoutsModule.forRoot({ policies: { report: { handler: '60s' } } }),
        TypeOrmModule.forRoot(dataSourceOptions(settings)),
        TypeOrmModule.forRoot(recentSearchesOptions),
        SettingsModule.with(settings),
        UpstreamModule,
        OrdersModule,
        DocumentsModule,
        ReportModule,
        SearchModule,
        ChatModule,
        LabModule,
        OpsModule,
      ],
    };
  }
}
