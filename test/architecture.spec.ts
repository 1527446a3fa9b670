import { describe, expect, it } from '@jest/globals';
import {
  architectureFaults,
  ENVIRONMENT_FILE,
  LAZY_FILE,
  MAX_LINES,
  RXJS_FILES,
} from './support/architecture.js';
import { readSources } from './support/repository.js';

const sound: Readonly<Record<string, string>> = {
  'index.ts': `export { Scope } from './core/scope.js';`,
  'timeouts.module.ts': `import { Module } from '@nestjs/common';\nimport './inbound/listener.js';`,
  [LAZY_FILE]: `import './inbound/listener.js';\nawait import('./typeorm/index.js');`,
  'core/scope.ts': `import ms from 'ms';\nimport { inspect } from 'node:util';\nimport './clock.js';`,
  'core/current-scope.ts': 'const storage = new AsyncLocalStorage();',
  'policy/decorators.ts': `import type { Type } from '@nestjs/common';\nimport 'reflect-metadata';
    export const TIMEOUTS_METADATA = 'nestjs-timeouts';
    Reflect.defineMetadata(TIMEOUTS_METADATA, {}, Type);
    for (const key of Reflect.getMetadataKeys(a)) Reflect.defineMetadata(key, 1, b);`,
  'inbound/interceptors.ts': `import { INTERCEPTORS_METADATA } from '@nestjs/common/constants.js';
    Reflect.defineMetadata(INTERCEPTORS_METADATA, [], handler);`,
  [ENVIRONMENT_FILE]: `import { Scope } from '../core/scope.js';\nread(process.env);`,
  'inbound/listener.ts': `import { Reflector } from '@nestjs/core';\nimport './close.js';\nimport '../policy/env.js';`,
  [RXJS_FILES[0] ?? '']: `import { takeUntil } from 'rxjs/operators';`,
  'typeorm/index.ts': `import { DataSource } from 'typeorm';\nimport { Scope } from '../core/scope.js';`,
};

function faultsOf(changes: Readonly<Record<string, string>>): string[] {
  const files = Object.entries({ ...sound, ...changes });
  return architectureFaults(files.map(([path, text]) => ({ path, text })));
}

describe('the library', () => {
  it('keeps to the layers and the house style', () => {
    expect(architectureFaults(readSources('libs/timeouts/src'))).toEqual([]);
  });
});

describe('the checker', () => {
  it('accepts a sound library', () => {
    expect(faultsOf({})).toEqual([]);
  });

  it.each([
    ['core', `import { Injectable } from '@nestjs/common';`, 'imports @nestjs/common'],
    ['core', `import type { Observable } from 'rxjs';`, 'imports rxjs'],
    ['core', `import '../policy/env.js';`, 'imports up: policy/env.ts'],
    ['core', `export { x } from '../jobs/run-job.js';`, 'imports up: jobs/run-job.ts'],
    ['core', `const m = await import('../index.js');`, 'imports up: index.ts'],
    ['core', `type T = import('../inbound/x.js').T;`, 'imports up: inbound/x.ts'],
    ['core', `import '../lib/x.js';`, 'imports lib/x.ts, which is in no known folder'],
    ['policy', `import { Inject } from '@nestjs/common';`, 'imports @nestjs/common at run time'],
    ['policy', `import { type T } from '@nestjs/common';`, 'imports @nestjs/common at run time'],
    ['policy', `import '../shutdown/drain.service.js';`, 'imports up: shutdown/drain.service.ts'],
    [
      'inbound',
      `import '../outbound/scoped-fetch.js';`,
      'imports sideways: outbound/scoped-fetch.ts',
    ],
    ['inbound', `import { map } from 'rxjs';`, 'imports rxjs outside RXJS_FILES'],
    ['inbound', `import { WsException } from '@nestjs/websockets';`, 'imports @nestjs/websockets'],
    ['outbound', `import { map } from 'rxjs';`, 'imports rxjs'],
    ['outbound', `const { Agent } = require('undici');`, 'imports undici'],
    ['jobs', `import '../typeorm/index.js';`, 'imports up: typeorm/index.ts'],
    ['jobs', `import '../timeouts.module.js';`, 'imports up: timeouts.module.ts'],
    ['terminus', `import { DataSource } from 'typeorm';`, 'imports typeorm'],
    ['terminus', `import '../metrics/index.js';`, 'imports sideways: metrics/index.ts'],
    ['testing', `import { Deadline } from '../index.js';`, 'imports sideways: index.ts'],
    ['testing', `import { Deadline } from 'nestjs-timeouts';`, 'imports nestjs-timeouts'],
  ])('finds in %s: %s', (folder, text, message) => {
    expect(faultsOf({ [`${folder}/planted.ts`]: `\n${text}` })).toEqual([
      `${folder}/planted.ts:2 ${message}`,
    ]);
  });

  it.each([
    [
      'index.ts',
      `export { Subscriber } from './typeorm/index.js';`,
      'imports sideways: typeorm/index.ts',
    ],
    ['timeouts.module.ts', `import './testing/index.js';`, 'imports sideways: testing/index.ts'],
    [
      'timeouts.module.ts',
      `await import('./typeorm/index.js');`,
      'imports sideways: typeorm/index.ts',
    ],
    [LAZY_FILE, `import './typeorm/index.js';`, 'imports sideways: typeorm/index.ts'],
    [LAZY_FILE, `require('./typeorm/index.js');`, 'imports sideways: typeorm/index.ts'],
    [LAZY_FILE, `type T = import('./typeorm/x.js').T;`, 'imports sideways: typeorm/x.ts'],
    [LAZY_FILE, `await import('typeorm');`, 'imports typeorm'],
    ['planted.ts', '', 'is in no known folder'],
    ['tools/planted.ts', '', 'is in no known folder'],
  ])('finds in %s: %s', (path, text, message) => {
    expect(faultsOf({ [path]: text })).toEqual([`${path}:1 ${message}`]);
  });

  it.each([
    ['export default class Scope {}', 'has a default export'],
    ['export default 1;', 'has a default export'],
    ['export { a as default };', 'has a default export'],
    [`export * from './scope.js';`, 'has an export *'],
    [`export * as core from './scope.js';`, 'has an export *'],
    ['export enum Reason {}', 'declares the enum Reason'],
    ['const enum Reason {}', 'declares the enum Reason'],
    ['interface IScope {}', 'prefixes the interface IScope'],
    [
      'Reflect.defineMetadata(SKIP_METADATA, true, type);',
      'defines the metadata key SKIP_METADATA',
    ],
    [`import { KEY } from './keys.js'; SetMetadata(KEY, true);`, 'defines the metadata key KEY'],
    [`SetMetadata('skip', true);`, `defines the metadata key 'skip'`],
    [`export const TIMEOUTS_METADATA = 'again';`, 'has another TIMEOUTS_METADATA'],
    ['const second = new AsyncLocalStorage<Scope>();', 'has another new AsyncLocalStorage'],
    ['const port = process.env.PORT;', 'reads process.env'],
    [`const port = process.env['PORT'];`, 'reads process.env'],
    ['const { env } = process;', 'reads process.env'],
    [`import { env } from 'node:process';`, 'reads process.env'],
    ['AbortSignal.any([a, b]);', 'uses AbortSignal.any'],
    ['AbortSignal.timeout(10);', 'uses AbortSignal.timeout'],
  ])('finds %s', (text, message) => {
    expect(faultsOf({ 'policy/planted.ts': text })).toEqual([`policy/planted.ts:1 ${message}`]);
  });

  it.each(['utils', 'helpers', 'common', 'constants', 'types'])('finds a file named %s', (name) => {
    expect(faultsOf({ [`core/${name}.ts`]: '' })).toEqual([`core/${name}.ts:1 is named ${name}`]);
    expect(faultsOf({ [`core/${name}/x.ts`]: '' })).toEqual([
      `core/${name}/x.ts:1 is named ${name}`,
    ]);
  });

  it('finds a file that is too long', () => {
    const lines = (count: number): string => 'export {};\n'.repeat(count);

    expect(faultsOf({ 'core/long.ts': lines(MAX_LINES) })).toEqual([]);
    expect(faultsOf({ 'core/long.ts': lines(MAX_LINES + 1) })).toEqual([
      'core/long.ts:251 has 251 lines',
    ]);
  });

  it('misses what must be there once', () => {
    expect(faultsOf({ 'core/current-scope.ts': '', 'policy/decorators.ts': '' })).toEqual([
      'new AsyncLocalStorage is nowhere',
      'TIMEOUTS_METADATA is nowhere',
    ]);
  });

  it('does not mistake prose for code', () => {
    const text = `// process.env, AbortSignal.any(), export * from './x.js'\nconst s = "enum A {}";`;

    expect(faultsOf({ 'core/prose.ts': text })).toEqual([]);
  });
});
