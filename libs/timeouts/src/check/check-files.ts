import { processEnvironment } from '../policy/env.js';
import { resolveOptions } from '../policy/timeouts-options.js';
import type { Finding } from './finding.js';
import { limitsInAnnotations } from './ingress.js';
import { readManifests, workloadsIn } from './manifest.js';
import { limitsInNginx } from './nginx-conf.js';
import type { ProxyLimit } from './proxy-rules.js';
import { checkProxy } from './proxy-rules.js';
import { checkWorkload, limitsOf } from './workload-rules.js';

/** A file to check: manifests where its name ends in `.yaml`, `.yml` or `.json`, else nginx. */
export interface CheckedFile {
  readonly name: string;
  readonly text: string;
}

/** What is known besides the files. */
export interface Surroundings {
  /** How long the application's server keeps an idle connection, in milliseconds. */
  readonly keepAliveMs: number;
  readonly env?: NodeJS.ProcessEnv;
}

const MANIFEST = /\.(ya?ml|json)$/;

/**
 * Everything in the files that does not fit together with the limits of the application: those that
 * its container is given, over those of the environment, over the defaults.
 *
 * @throws Error that names the file and the line when one is not YAML.
 * @throws TimeoutsConfigurationError when variables of the environment itself cannot be read.
 */
export function checkFiles(files: readonly CheckedFile[], around: Surroundings): Finding[] {
  const { keepAliveMs, env = processEnvironment() } = around;
  const fromEnvironment = resolveOptions({}, env);
  const manifests = files.filter(({ name }) => MANIFEST.test(name));
  const objects = manifests.flatMap(({ name, text }) => readManifests(name, text));
  const proxies: ProxyLimit[] = [
    ...objects.flatMap(limitsInAnnotations),
    ...files
      .filter((file) => !manifests.includes(file))
      .flatMap(({ name, text }) => limitsInNginx(name, text)),
  ];
  const findings: Finding[] = [];
  const workloads = workloadsIn(objects)
    .map((workload) => limitsOf(workload, objects, env, findings))
    .filter((limits) => limits !== undefined);
  for (const limits of workloads) findings.push(...checkWorkload(limits));
  const behind = workloads.length > 0 ? workloads : [{ options: fromEnvironment }];
  for (const { options } of behind) {
    for (const limit of proxies) findings.push(...checkProxy(limit, { options, keepAliveMs }));
  }
  return withoutRepeats(findings);
}

function withoutRepeats(findings: readonly Finding[]): Finding[] {
  const seen = new Map(findings.map((finding) => [JSON.stringify(finding), finding]));
  return [...seen.values()].toSorted((a, b) => a.file.localeCompare(b.file) || a.line - b.line);
}
