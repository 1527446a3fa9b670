#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { parseDuration } from '../core/duration.js';
import { checkFiles } from './check-files.js';
import { showFinding } from './finding.js';

const USAGE = `usage: nestjs-timeouts check [--keep-alive 5s] FILE...

Reads Kubernetes manifests (.yaml, .yml, .json) and nginx configurations (any other name), beside the
environment, and reports every limit that does not fit with those of the application.

  --keep-alive  how long the application's server keeps an idle connection (server.keepAliveTimeout):
                5s by default, as in Node 20 and on Express; 72s on Fastify

exit code: 0 all fits, 1 something does not, 2 a file cannot be read`;

/** @returns the exit code. */
function main(args: string[]): number {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { 'keep-alive': { type: 'string', default: '5s' }, help: { type: 'boolean' } },
  });
  const [command, ...names] = positionals;
  if (values.help) {
    print(USAGE);
    return 0;
  }
  if (command !== 'check' || names.length === 0) throw new Error(USAGE);
  const keepAliveMs = parseDuration(values['keep-alive'], '--keep-alive');
  const files = names.map((name) => ({ name, text: readFileSync(name, 'utf8') }));
  const findings = checkFiles(files, { keepAliveMs });
  for (const finding of findings) print(showFinding(finding));
  const count = `${names.length} ${names.length === 1 ? 'file' : 'files'}`;
  print(
    findings.length > 0 ? `${count}: ${findings.length} do not fit` : `${count}: everything fits`,
  );
  return findings.length > 0 ? 1 : 0;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

try {
  process.exitCode = main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 2;
}
