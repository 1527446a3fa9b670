import { formatDuration } from '../core/duration.js';
import { TimeoutsConfigurationError } from './configuration-error.js';
import type { RoutePolicyPatch } from './policy-patch.js';
import { mergePolicies } from './policy-patch.js';
import type { OutboundLimits, ResolvedOptions } from './resolved-options.js';
import { defaultRoutePolicy } from './route-policy.js';

/** What is known about the world around the process. */
export interface BudgetFacts {
  /** `terminationGracePeriodSeconds` of the pod. */
  readonly terminationGraceMs?: number;
  /** How long the load balancer keeps an idle connection. */
  readonly loadBalancerIdleMs?: number;
  /** `server.keepAliveTimeout` of the HTTP server; 0 is for ever, as in Node. */
  readonly keepAliveMs?: number;
}

/** A limit with its place in the options. */
interface Limit {
  readonly path: string;
  readonly ms: number;
  readonly origin: string;
}

const SHUTDOWN_MARGIN_MS = 2_000;

/**
 * Limits that contradict each other, as sentences: an inner limit that can never be reached because
 * the one around it is as short, a drain that does not fit, a keep-alive that is too short. Empty
 * when all is well.
 *
 * @throws TimeoutsConfigurationError with the same sentences when the options say `strict`.
 * @example
 * for (const finding of checkBudgets(options, factsFromEnv(env))) logger.warn(finding);
 */
export function checkBudgets(options: ResolvedOptions, facts: BudgetFacts): readonly string[] {
  const findings = [
    ...checkOptions(options),
    ...Array.from(options.policies, ([name, patch]) => checkPolicy(options, name, patch)).flat(),
    ...checkShutdown(options, facts),
    ...checkKeepAlive(facts),
  ];
  if (options.strict && findings.length > 0) throw new TimeoutsConfigurationError(findings);
  return findings;
}

function checkOptions(options: ResolvedOptions): string[] {
  const limit = (path: string, ms: number): Limit => optionLimit(options, path, ms);
  const { handlerMs, jobMs, statementMs, shutdown, webhookMs } = options;
  const outbound = limit(...outboundLimit(options.outbound));
  const statement = limit('statement', statementMs);
  const handler = limit('handler', handlerMs);
  // The batch preset's statement limit is meant for its jobs, where it can be reached.
  const forJobs = statement.origin.startsWith('preset') && statementMs < jobMs && jobMs < Infinity;
  return [
    ...(forJobs ? [] : [...checkPair(statement, outbound), ...checkPair(statement, handler)]),
    ...checkPair(outbound, handler),
    ...checkPair(limit('webhook', webhookMs), limit('job', jobMs)),
    ...checkPair(
      limit('shutdown.quiet', shutdown.quietMs),
      limit('shutdown.grace', shutdown.graceMs),
    ),
  ];
}

/** A policy answers for what it sets itself: a shorter handler caps the defaults by its budget. */
function checkPolicy(options: ResolvedOptions, name: string, patch: RoutePolicyPatch): string[] {
  const policy = mergePolicies(defaultRoutePolicy(options), patch);
  const limit = (path: string, ms: number, own: number | undefined): Limit =>
    own === undefined
      ? optionLimit(options, path, ms)
      : { path: `policies.${name}.${path}`, ms, origin: 'option' };
  const [path, ms] = outboundLimit({ ...options.outbound, ...patch.outbound });
  const { headersMs, totalMs } = patch.outbound ?? {};
  const ownOutbound = path === 'outbound.total' ? totalMs : headersMs;
  const handler = limit('handler', policy.handlerMs, patch.handlerMs);
  const statement = limit('statement', policy.statementMs, patch.statementMs);
  const outbound = limit(path, ms, ownOutbound);
  const setsStatement = patch.statementMs !== undefined;
  const setsOutbound = ownOutbound !== undefined;
  return [
    ...(setsStatement && setsOutbound ? checkPair(statement, outbound) : []),
    ...(setsStatement ? checkPair(statement, handler) : []),
    ...(setsOutbound ? checkPair(outbound, handler) : []),
  ];
}

function checkPair(inner: Limit, outer: Limit): string[] {
  if (inner.ms < outer.ms || inner.ms === Infinity || inner.ms === 0) return [];
  const lower = `set ${inner.path} below ${formatDuration(outer.ms)}`;
  const raise = `${outer.path} above ${formatDuration(inner.ms)}`;
  return [`${show(inner)} is not shorter than ${show(outer)} around it: ${lower} or ${raise}`];
}

function checkShutdown(options: ResolvedOptions, { terminationGraceMs }: BudgetFacts): string[] {
  const { readinessDelayMs, graceMs } = options.shutdown;
  const neededMs = readinessDelayMs + graceMs + SHUTDOWN_MARGIN_MS;
  if (terminationGraceMs === undefined || neededMs < terminationGraceMs) return [];
  const delay = show(optionLimit(options, 'shutdown.readinessDelay', readinessDelayMs));
  const grace = show(optionLimit(options, 'shutdown.grace', graceMs));
  const given = `TERMINATION_GRACE_PERIOD_SECONDS (${formatDuration(terminationGraceMs)})`;
  const raise = `raise terminationGracePeriodSeconds above ${formatDuration(neededMs)}`;
  return [
    `${delay} and ${grace} with a margin of ${formatDuration(SHUTDOWN_MARGIN_MS)} do not fit into ` +
      `${given}, so the process is killed while it drains: shorten them or ${raise}`,
  ];
}

function checkKeepAlive({ keepAliveMs, loadBalancerIdleMs = 0 }: BudgetFacts): string[] {
  if (!keepAliveMs || keepAliveMs > loadBalancerIdleMs) return [];
  const idle = formatDuration(loadBalancerIdleMs);
  return [
    `the server's keepAliveTimeout (${formatDuration(keepAliveMs)}) is not longer than ` +
      `LOAD_BALANCER_IDLE_TIMEOUT_SECONDS (${idle}), so the load balancer reuses connections that ` +
      `are just being closed: set server.keepAliveTimeout above ${idle}`,
  ];
}

/** The one limit that stands for `outbound`: its total, or else how long a reply's headers may take. */
function outboundLimit({ totalMs, headersMs }: OutboundLimits): [path: string, ms: number] {
  return totalMs < Infinity ? ['outbound.total', totalMs] : ['outbound.headers', headersMs];
}

function optionLimit(options: ResolvedOptions, path: string, ms: number): Limit {
  return { path, ms, origin: options.origins.get(path) ?? 'default' };
}

function show({ path, ms, origin }: Limit): string {
  return `${path} (${formatDuration(ms)}, ${origin})`;
}
