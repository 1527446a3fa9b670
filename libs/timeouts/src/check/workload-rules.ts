import { formatDuration } from '../core/duration.js';
import { isKnownVariable } from '../policy/env.js';
import { TimeoutsConfigurationError } from '../policy/configuration-error.js';
import type { ResolvedOptions } from '../policy/timeouts-options.js';
import { resolveOptions } from '../policy/timeouts-options.js';
import type { Finding } from './finding.js';
import type { Workload } from './manifest.js';
import { variablesOf } from './manifest.js';
import type { YamlValue } from './yaml-value.js';

const DEFAULT_GRACE_SECONDS = 30;
/** What is cancelled at the end of the grace period may clean up, and hooks close clients. */
const MARGIN_MS = 3_000;

/** What one container of a manifest runs with. */
export interface ContainerLimits extends Workload {
  readonly options: ResolvedOptions;
  readonly variables: ReadonlyMap<string, YamlValue>;
}

/**
 * The limits of a container that runs this package, as its variables and those of `env` set them;
 * undefined for any other. Variables that cannot be read become findings.
 */
export function limitsOf(
  workload: Workload,
  objects: readonly YamlValue[],
  env: NodeJS.ProcessEnv,
  findings: Finding[],
): ContainerLimits | undefined {
  const { container, pod } = workload;
  const variables = variablesOf(container, objects);
  const isOurs = [...variables.keys()].some(isKnownVariable);
  if (!isOurs && pod.get('containers').items.length > 1) return undefined;
  const texts = Array.from(variables, ([name, value]) => [name, value.text]);
  try {
    const options = resolveOptions({}, { ...env, ...Object.fromEntries(texts) });
    return { ...workload, options, variables };
  } catch (error) {
    if (!(error instanceof TimeoutsConfigurationError)) throw error;
    for (const fault of error.faults) {
      const named = [...variables].find(([name]) => fault.includes(name))?.[1] ?? container;
      findings.push(at(named, fault, 'correct the variable: the application does not start'));
    }
    return undefined;
  }
}

/** What does not fit together in one container and its pod. */
export function checkWorkload(limits: ContainerLimits): Finding[] {
  return [...checkGrace(limits), ...checkStatedGrace(limits), ...checkProbes(limits)];
}

function checkGrace({ container, options, pod }: ContainerLimits): Finding[] {
  const stated = pod.get('terminationGracePeriodSeconds');
  const graceMs = (stated.number ?? DEFAULT_GRACE_SECONDS) * 1_000;
  const preStopMs = preStopMsOf(container);
  const { graceMs: drainMs, readinessDelayMs } = options.shutdown;
  const neededMs = preStopMs + readinessDelayMs + drainMs + MARGIN_MS;
  if (neededMs <= graceMs) return [];
  const parts = [
    ...(preStopMs > 0 ? [`preStop ${formatDuration(preStopMs)}`] : []),
    `readiness delay ${formatDuration(readinessDelayMs)}`,
    `grace ${formatDuration(drainMs)}`,
    `${formatDuration(MARGIN_MS)} to clean up`,
  ];
  const shown = `${formatDuration(graceMs)}${stated.isThere ? '' : ', the default'}`;
  return [
    at(
      stated,
      `terminationGracePeriodSeconds (${shown}) is too short: ${parts.join(' + ')} take ` +
        `${formatDuration(neededMs)}, so the pod is killed while it drains`,
      Number.isFinite(neededMs)
        ? `set terminationGracePeriodSeconds: ${Math.ceil(neededMs / 1_000)} or shorten SHUTDOWN_GRACE_PERIOD_SECONDS`
        : 'give SHUTDOWN_GRACE_PERIOD_SECONDS a value: without one a drain may take for ever',
    ),
  ];
}

function checkStatedGrace({ pod, variables }: ContainerLimits): Finding[] {
  const told = variables.get('TERMINATION_GRACE_PERIOD_SECONDS');
  const real = pod.get('terminationGracePeriodSeconds').number ?? DEFAULT_GRACE_SECONDS;
  if (!told || told.number === real) return [];
  return [
    at(
      told,
      `TERMINATION_GRACE_PERIOD_SECONDS says ${told.text}, the pod has ${real}`,
      `set TERMINATION_GRACE_PERIOD_SECONDS to "${real}", or the pod's terminationGracePeriodSeconds to ${told.text}`,
    ),
  ];
}

function checkProbes({ container, options }: ContainerLimits): Finding[] {
  const findings: Finding[] = [];
  for (const name of ['livenessProbe', 'readinessProbe', 'startupProbe']) {
    const probe = container.get(name);
    if (!probe.isThere) continue;
    const timeout = probe.get('timeoutSeconds');
    const timeoutSeconds = timeout.number ?? 1;
    const periodSeconds = probe.get('periodSeconds').number ?? 10;
    if (timeoutSeconds > periodSeconds) {
      findings.push(
        at(
          timeout,
          `${name} may take ${timeoutSeconds} s but runs every ${periodSeconds} s, so probes overlap`,
          `set timeoutSeconds to ${periodSeconds} or less, or periodSeconds above ${timeoutSeconds}`,
        ),
      );
    }
  }
  const liveness = container.get('livenessProbe', 'httpGet', 'path');
  const readiness = container.get('readinessProbe', 'httpGet', 'path');
  if (liveness.text !== undefined && liveness.text === readiness.text) {
    findings.push(
      at(
        liveness,
        `livenessProbe and readinessProbe both ask ${liveness.text}: a pod that drains is not ready and would be restarted`,
        'let livenessProbe ask what depends on nothing, such as /_ops/live',
      ),
    );
  }
  const isServing = container.get('ports').isThere;
  if (isServing && !container.get('readinessProbe').isThere) {
    findings.push(
      at(
        container,
        'there is no readinessProbe, so requests arrive before the application is up and while it drains',
        'add a readinessProbe on /_ops/ready',
      ),
    );
  }
  const noticedMs = options.shutdown.readinessDelayMs + preStopMsOf(container);
  if (isServing && noticedMs === 0) {
    findings.push(
      at(
        container.get('lifecycle'),
        'the pod stops to accept the moment it is told to end, while load balancers still send to it',
        'set SHUTDOWN_READINESS_DELAY_SECONDS to "5", or a preStop sleep',
      ),
    );
  }
  return findings;
}

function preStopMsOf(container: YamlValue): number {
  const preStop = container.get('lifecycle', 'preStop');
  const built = preStop.get('sleep', 'seconds').number;
  const command = preStop
    .get('exec', 'command')
    .items.map(({ text }) => text)
    .join(' ');
  const slept = /\bsleep\s+(?<seconds>\d*\.?\d+)/.exec(command)?.groups?.['seconds'];
  return (built ?? Number(slept ?? 0)) * 1_000;
}

export function at({ file, line }: YamlValue, message: string, fix: string): Finding {
  return { file, line, message, fix };
}
