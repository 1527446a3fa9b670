// `node --import ./test/support/run-typescript.mjs file.ts` runs a file and the library from source,
// for tests that need a process of their own.
import { transformFile } from '@swc/core';
import { register } from 'node:module';
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';

if (isMainThread) register(import.meta.url);

const library = new URL('../../libs/timeouts/src/', import.meta.url);
const options = {
  jsc: {
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: true },
    keepClassNames: true,
    target: 'es2022',
  },
  module: { type: 'es6' },
  sourceMaps: 'inline',
};

/** The source of what is imported by the name of its compiled file or of its package. */
export async function resolve(specifier, context, next) {
  const entry = /^nestjs-timeouts(?:\/(?<name>[^/]+))?$/.exec(specifier);
  if (entry) return next(new URL(`${entry.groups.name ?? '.'}/index.ts`, library).href, context);
  const ours = specifier.startsWith('.') && context.parentURL?.endsWith('.ts');
  return next(ours ? specifier.replace(/\.js$/, '.ts') : specifier, context);
}

export async function load(url, context, next) {
  if (!url.endsWith('.ts')) return next(url, context);
  const { code } = await transformFile(fileURLToPath(url), options);
  return { format: 'module', source: code, shortCircuit: true };
}
