import { Controller, Get, Query } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { seconds } from '../input/number.pipe.js';
import { done } from './done.js';
import type { Done } from './done.js';

const SLEEP = 'SELECT pg_sleep($1)';

@Controller('lab')
export class SqlController {
  constructor(private readonly database: DataSource) {}

  @Get('query')
  async query(@Query('seconds', seconds) duration: number): Promise<Done> {
    await this.database.query(SLEEP, [duration]);
    return done();
  }

  @Get('tx')
  async transaction(@Query('seconds', seconds) duration: number): Promise<Done> {
    await this.database.transaction((manager) => manager.query(SLEEP, [duration]));
    return done();
  }

  @Get('nested')
  async savepoint(@Query('seconds', seconds) duration: number): Promise<Done> {
    await this.database.transaction((outer) =>
      outer.transaction((inner) => inner.query(SLEEP, [duration])),
    );
    return done();
  }
}
