import { Injectable } from '@nestjs/common';
import type { Pool } from 'pg';
import { DataSource } from 'typeorm';
import type { PostgresDriver } from 'typeorm/driver/postgres/PostgresDriver.js';

export interface PoolUse {
  readonly total: number;
  readonly idle: number;
  readonly waiting: number;
}

@Injectable()
export class PoolGauge {
  constructor(private readonly database: DataSource) {}

  read(): PoolUse {
    const { master } = this.database.driver as PostgresDriver;
    const pool = master as Pool;
    return { total: pool.totalCount, idle: pool.idleCount, waiting: pool.waitingCount };
  }
}
