// `node --import ./test/support/run-typescript.mjs file.ts` runs a file and the library from source,
// for tests that need a process of their own.
import { transform } from '@swc/core';
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { register } from 'node:module';
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';

if (isMainThread) register(import.meta.url);

const cache = new URL('../../node_modules/.cache/run-typescript/', import.meta.url);
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
  return { format: 'module', source: await compiled(fileURLToPath(url)), shortCircuit: true };
}

/** Dozens of processes run the same files. */
async function compiled(file) {
  const text = await readFile(file, 'utf8');
  const known = createHash('sha256')
    .update(JSON.stringify([file, text, options]))
    .digest('hex');
  const copy = new URL(`${known}.js`, cache);
  const found = await readFile(copy, 'utf8').catch(() => undefined);
  if (found !== undefined) return found;
  const { code } = await transform(text, { ...options, filename: file });
  await mkdir(cache, { recursive: true });
  // Under another name first: others may be reading.
  const draft = new URL(`${known}.${process.pid}`, cache);
  await writeFile(draft, code);
  await rename(draft, copy);
  return code;
}
