import { Controller, Get, Query } from '@nestjs/common';
import { Deadline } from 'nestjs-timeouts';
import { DataSource } from 'typeorm';
import { NumberPipe, seconds } from '../input/number.pipe.js';
import { REPORT_SQL } from './report.sql.js';
import type { ReportRow } from './report.sql.js';

const weight = new NumberPipe({ min: 1, max: 10_000, whole: true, fallback: 1 });

@Controller('v1')
export class ReportController {
  constructor(private readonly database: DataSource) {}

  /** Slow because it works: every unit of weight draws the orders anew. */
  @Get('report')
  @Deadline({ policy: 'report', statement: '30s' })
  async report(@Query('weight', weight) rounds: number): Promise<{ items: ReportRow[] }> {
    return { items: await this.database.query<ReportRow[]>(REPORT_SQL, [rounds]) };
  }

  @Get('quick')
  @Deadline({ statement: '1s' })
  async quick(@Query('seconds', seconds) duration: number): Promise<{ ok: true }> {
    await this.database.query('SELECT pg_sleep($1)', [duration]);
    return { ok: true };
  }
}
