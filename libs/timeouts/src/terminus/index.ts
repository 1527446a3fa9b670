export { DrainHealthIndicator } from './drain.health.js';
export type {
  HealthThresholds,
  ProbeCheck,
  ProbeCheckFunction,
  ProbeCheckRun,
  ProbeChecks,
  ProbePaths,
  TimeoutsHealthModuleOptions,
} from './health-options.js';
export { TimeoutsHealthModule } from './timeouts-health.module.js';
export type { TimeoutsHealthOptionsFactory } from './timeouts-health.module.js';
