export {
  CancelledError,
  DeadlineExceededError,
  isCancelled,
  PoolWaitTimeoutError,
} from './core/errors.js';
export type { CancelReason, Layer } from './core/errors.js';
export type { Clock, Alarm, AlarmHandle } from './core/clock.js';
export type { Duration } from './core/duration.js';
export { InvalidDurationError } from './core/duration.js';
export type { LateWork, Outcome, OutcomeListener, ScopeKind } from './core/outcome.js';
export type { Cleanup, Scope } from './core/scope.js';
export { currentScope } from './core/current-scope.js';
export { all, detach, race, shield, withDeadline } from './core/combinators.js';
export type { BlockLimit, BlockOptions, ScopedWork } from './core/combinators.js';
export { retry } from './core/retry.js';
export type { RetryOptions } from './core/retry.js';
export { bindScope } from './inbound/bind-scope.js';
export type { Bindable } from './inbound/bind-scope.js';
export { CancelSignal, CurrentScope } from './inbound/parameter-decorators.js';
export type { PoolUse } from './inbound/pool-use.js';
export type { Problem } from './inbound/problem.js';
export { TimeoutsMonitor } from './inbound/timeouts-monitor.js';
export type {
  CancelCount,
  InFlightScope,
  LateTotals,
  TimeoutsSnapshot,
} from './inbound/timeouts-monitor.js';
export { Deadline, SkipTimeout } from './policy/decorators.js';
export type { SkippableLayer } from './policy/decorators.js';
export { TimeoutsConfigurationError } from './policy/configuration-error.js';
export { optionsFromEnv } from './policy/env.js';
export { pick } from './policy/profile.js';
export type { Profile } from './policy/profile.js';
export type { Preset } from './policy/presets.js';
export type { TimeoutsOptions } from './policy/timeouts-options.js';
export type {
  BodyOptions,
  DeadlineOptions,
  DeadlineSpec,
  PolicyOptions,
  StreamOptions,
} from './policy/policy-options.js';
export { DrainService } from './shutdown/drain.service.js';
export type { DrainState } from './shutdown/drain.service.js';
export { TimeoutsModule } from './timeouts.module.js';
export type { TimeoutsModuleOptions, TimeoutsOptionsFactory } from './timeouts.module.js';
