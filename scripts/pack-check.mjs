// Packs the library, installs the tarball into an empty folder and uses it there as a stranger would.
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { packageFaults, readJson } from './package-faults.mjs';

const RUN_MS = 120_000;

const root = join(import.meta.dirname, '..');
const library = join(root, 'libs/timeouts');
const manifest = await readJson(join(library, 'package.json'));
const { devDependencies } = await readJson(join(root, 'package.json'));
const { name } = manifest;
const entries = Object.keys(manifest.exports)
  .filter((entry) => entry !== './package.json')
  .map((entry) => entry.replace('.', name));
const peers = Object.keys(manifest.peerDependencies);
const isOptional = (peer) => manifest.peerDependenciesMeta?.[peer]?.optional === true;

const folder = await mkdtemp(join(tmpdir(), 'pack-check-'));
try {
  await checkPackage();
} catch {
  process.exitCode = 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function checkPackage() {
  await check('builds', () => npm(root, 'run', 'build'));
  await check('packs', () => npm(library, 'pack', '--pack-destination', folder));
  const tarball = (await readdir(folder)).find((file) => file.endsWith('.tgz'));

  await cp(join(import.meta.dirname, 'consumer'), folder, { recursive: true });
  await writeFile(join(folder, 'package.json'), '{ "private": true }');
  const required = peers.filter((peer) => !isOptional(peer));
  const tools = ['@nestjs/platform-express', '@types/node', 'typescript'];
  await check('installs with its required peers', () =>
    install(`./${tarball}`, ...[...required, ...tools].map(pinned)),
  );
  await check('holds the build and its papers, and nothing else', inspect);
  await checkEntry(name);
  await check('boots an app from an ES module', () => node('boot.mjs'));
  await check('boots an app from CommonJS', () => node('boot.cjs'));
  await check('has sound types without optional peers', () => node('typecheck.mjs', name));

  const optional = peers.filter(isOptional);
  if (optional.length > 0) {
    await check('installs with its optional peers', () => install(...optional.map(pinned)));
  }
  for (const entry of entries.filter((each) => each !== name)) await checkEntry(entry);
  await check('has sound types in all entries', () => node('typecheck.mjs', ...entries));
}

async function checkEntry(entry) {
  await check(`import('${entry}')`, () => node('import.mjs', entry));
  await check(`require('${entry}')`, () => node('require.cjs', entry));
}

async function check(what, work) {
  const start = performance.now();
  try {
    await work();
    console.log(`ok   ${what} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
  } catch (error) {
    const killed = error.killed ? `no end after ${RUN_MS} ms` : '';
    console.log(['FAIL ' + what, killed, error.message, error.stdout].filter(Boolean).join('\n'));
    throw error;
  }
}

async function inspect() {
  const faults = await packageFaults(join(folder, 'node_modules', name), join(library, 'src'));
  if (faults.length > 0) throw new Error(faults.join('\n'));
}

function pinned(peer) {
  const version = devDependencies[peer];
  if (!version) throw new Error(`${peer} has no version in the workspace's devDependencies`);
  return `${peer}@${version}`;
}

function install(...packages) {
  return npm(folder, 'install', '--prefer-offline', '--no-audit', '--no-fund', ...packages);
}

function npm(cwd, ...args) {
  // A shell only where npm is a batch file.
  return run('npm', args, { cwd, shell: process.platform === 'win32' });
}

function node(script, ...args) {
  // Flags and profiles of whoever runs this check are not the stranger's.
  const env = { ...process.env, NODE_OPTIONS: undefined, NODE_ENV: undefined, APP_ENV: undefined };
  return run(process.execPath, [join(folder, script), ...args], { cwd: folder, env });
}

function run(command, args, options) {
  return promisify(execFile)(command, args, { timeout: RUN_MS, ...options });
}
