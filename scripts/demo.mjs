// One process from the build to the service, so that a signal to npm reaches it.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const compiler = fileURLToPath(new URL('../node_modules/typescript/bin/tsc', import.meta.url));
const root = fileURLToPath(new URL('..', import.meta.url));
const entry = process.argv[2] ?? 'launcher';

const { status } = spawnSync(process.execPath, [compiler, '-b'], { cwd: root, stdio: 'inherit' });
if (status !== 0) process.exit(status ?? 1);
await import(`../dist/apps/demo/${entry}.js`);
