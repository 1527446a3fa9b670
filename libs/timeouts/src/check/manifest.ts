import { LineCounter, parseAllDocuments } from 'yaml';
import type { ParsedNode } from 'yaml';
import { YamlValue } from './yaml-value.js';

/** A container with the pod around it. */
export interface Workload {
  readonly kind: string;
  readonly name: string;
  readonly pod: YamlValue;
  readonly container: YamlValue;
}

const POD_SPECS: Readonly<Record<string, readonly string[]>> = {
  Pod: ['spec'],
  Deployment: ['spec', 'template', 'spec'],
  StatefulSet: ['spec', 'template', 'spec'],
  DaemonSet: ['spec', 'template', 'spec'],
  ReplicaSet: ['spec', 'template', 'spec'],
  Job: ['spec', 'template', 'spec'],
  CronJob: ['spec', 'jobTemplate', 'spec', 'template', 'spec'],
};

/**
 * The objects of a file of manifests; those of a `List` one by one.
 *
 * @throws Error that names the file and the line when it is not YAML.
 */
export function readManifests(file: string, text: string): YamlValue[] {
  const lines = new LineCounter();
  return parseAllDocuments(text, { lineCounter: lines }).flatMap((document) => {
    const [error] = document.errors;
    if (error) throw new Error(`${file}:${lines.linePos(error.pos[0]).line} ${error.message}`);
    const object = new YamlValue(file, lines, document.contents as ParsedNode | null, 1);
    return object.get('kind').text === 'List' ? object.get('items').items : [object];
  });
}

/** The containers of all pods, sidecars included. */
export function workloadsIn(objects: readonly YamlValue[]): Workload[] {
  return objects.flatMap((object) => {
    const kind = object.get('kind').text ?? '';
    const path = Object.hasOwn(POD_SPECS, kind) ? POD_SPECS[kind] : undefined;
    if (!path) return [];
    const pod = object.get(...path);
    const name = object.get('metadata', 'name').text ?? '(no name)';
    return pod.get('containers').items.map((container) => ({ kind, name, pod, container }));
  });
}

/** A container's variables: those written out, and those of ConfigMaps among `objects`. */
export function variablesOf(
  container: YamlValue,
  objects: readonly YamlValue[],
): Map<string, YamlValue> {
  const configMap = (name: string | undefined) =>
    objects.find(
      (object) =>
        object.get('kind').text === 'ConfigMap' && object.get('metadata', 'name').text === name,
    );
  const variables = new Map<string, YamlValue>();
  for (const source of container.get('envFrom').items) {
    const entries = configMap(source.get('configMapRef', 'name').text)?.get('data').entries ?? [];
    for (const [key, value] of entries) {
      variables.set((source.get('prefix').text ?? '') + key, value);
    }
  }
  for (const entry of container.get('env').items) {
    const reference = entry.get('valueFrom', 'configMapKeyRef');
    const value = reference.isThere
      ? configMap(reference.get('name').text)?.get('data', reference.get('key').text ?? '')
      : entry.get('value');
    const name = entry.get('name').text;
    if (name && value?.isThere) variables.set(name, value);
  }
  return variables;
}
