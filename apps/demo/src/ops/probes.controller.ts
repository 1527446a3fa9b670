import { Controller, Get, Header } from '@nestjs/common';
import { HealthCheckService, HealthIndicatorService } from '@nestjs/terminus';
import type { HealthCheckResult } from '@nestjs/terminus';
import { DrainService, SkipTimeout } from 'nestjs-timeouts';
import { DataSource } from 'typeorm';

const PING_TIMEOUT_MS = 1_000;

@Controller('_ops')
@SkipTimeout()
export class ProbesController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly indicators: HealthIndicatorService,
    private readonly database: DataSource,
    private readonly drain: DrainService,
  ) {}

  /** Depends on nothing: a process that answers is alive, also while it drains. */
  @Get('live')
  @Header('Cache-Control', 'no-store')
  live(): HealthCheckResult {
    return { status: 'ok', info: {}, error: {}, details: {} };
  }

  @Get('ready')
  @Header('Cache-Control', 'no-store')
  ready(): Promise<HealthCheckResult> {
    return this.health.check([() => this.#draining(), this.#ping()]);
  }

  @Get('startup')
  @Header('Cache-Control', 'no-store')
  startup(): Promise<HealthCheckResult> {
    return this.health.check([() => this.#migrated()]);
  }

  #draining() {
    const { state } = this.drain;
    const indicator = this.indicators.check('drain');
    return state === 'running' ? indicator.up({ state }) : indicator.down({ state });
  }

  #ping() {
    const ping = async (): Promise<void> => {
      await this.database.query('SELECT 1');
    };
    return this.indicators.check('database').attempt(ping).withTimeout(PING_TIMEOUT_MS);
  }

  #migrated() {
    const indicator = this.indicators.check('migrations');
    return this.database.isInitialized ? indicator.up() : indicator.down();
  }
}
