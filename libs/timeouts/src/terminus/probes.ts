import { Logger, ServiceUnavailableException } from '@nestjs/common';
import type {
  HealthCheckResult,
  HealthCheckService,
  HealthIndicatorFunction,
} from '@nestjs/terminus';
import type { Clock } from '../core/clock.js';
import { ScopeNode } from '../core/scope-node.js';
import { ScopeTree } from '../core/scope-tree.js';
import type { PlainAnswer } from '../inbound/plain-answer.js';
import type { TimeoutsMonitor } from '../inbound/timeouts-monitor.js';
import type { DrainHealthIndicator } from './drain.health.js';
import { PoolWait } from './pool-wait.js';
import type { CheckSettings, ResolvedHealth } from './resolved-health.js';
import { SingleCheck } from './single-check.js';
import { Thresholds } from './thresholds.js';

/** What probes ask. */
export interface ProbeSources {
  readonly clock: Clock;
  readonly monitor: TimeoutsMonitor;
  readonly health: HealthCheckService;
  readonly drain: DrainHealthIndicator;
}

const WELL: HealthCheckResult = { status: 'ok', info: {}, error: {}, details: {} };

/** The answers to the three questions of an orchestrator. */
export class Probes {
  readonly #logger = new Logger('Timeouts');
  readonly #health: HealthCheckService;
  readonly #thresholds: Thresholds;
  readonly #readiness: readonly HealthIndicatorFunction[];
  readonly #startup: readonly HealthIndicatorFunction[];
  #isStarted = false;
  #missing = '';

  constructor(settings: ResolvedHealth, { clock, monitor, health, drain }: ProbeSources) {
    const tree = new ScopeTree(clock);
    const root = new ScopeNode(tree, undefined, 'application', 'probes', 'job', clock.now());
    const checksOf = (checks: readonly CheckSettings[]) =>
      checks.map((check) => new SingleCheck(check, root)).map((check) => () => check.result());
    const pools = new PoolWait(() => monitor.readPools(), clock);
    this.#health = health;
    this.#thresholds = new Thresholds(settings.thresholds, pools);
    this.#readiness = [
      () => drain.isHealthy(),
      ...checksOf(settings.checks),
      ...this.#thresholds.indicators,
    ];
    this.#startup = [
      () => ({ application: { status: 'up' as const } }),
      ...checksOf(settings.startupChecks),
    ];
  }

  start(): void {
    this.#isStarted = true;
    this.#thresholds.start();
  }

  stop(): void {
    this.#thresholds.stop();
  }

  /** Depends on nothing: a process that answers is alive, also while it drains. */
  live(): PlainAnswer {
    return answerWith(200, WELL);
  }

  async ready(): Promise<PlainAnswer> {
    const answer = await this.#ask(this.#readiness);
    this.#note(answer.body as HealthCheckResult);
    return answer;
  }

  startup(): PlainAnswer | Promise<PlainAnswer> {
    if (this.#isStarted) return this.#ask(this.#startup);
    return this.#ask([() => ({ application: { status: 'down' as const } })]);
  }

  async #ask(indicators: readonly HealthIndicatorFunction[]): Promise<PlainAnswer> {
    try {
      return answerWith(200, await this.#health.check([...indicators]));
    } catch (error) {
      if (!(error instanceof ServiceUnavailableException)) throw error;
      return answerWith(503, error.getResponse() as HealthCheckResult);
    }
  }

  /** A drain tells of itself. */
  #note({ error = {} }: HealthCheckResult): void {
    const missing = Object.keys(error).filter((name) => name !== 'drain');
    const before = this.#missing;
    this.#missing = missing.join(', ');
    if (this.#missing === before) return;
    if (this.#missing) this.#logger.warn(`Not ready: ${this.#missing}`);
    else this.#logger.log(`Ready again: ${before}`);
  }
}

function answerWith(status: number, body: HealthCheckResult): PlainAnswer {
  return { status, type: 'application/json; charset=utf-8', body };
}
