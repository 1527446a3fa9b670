import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

const LAUNCHER = fileURLToPath(new URL('../../dist/apps/demo/launcher.js', import.meta.url));
const PROBE = new URL('./memory-probe.mjs', import.meta.url);
const execPath = process.env.NODE || process.execPath;

/** The demo as `npm start` starts it, and a look at the memory of its API. */
export async function startDemo(variables) {
  const probePort = await freePort();
  const child = spawn(execPath, [LAUNCHER], {
    env: {
      ...process.env,
      PORT: '0',
      UPSTREAM_PORT: '0',
      ...variables,
      NODE_OPTIONS: `--import=${PROBE}`,
      MEMORY_PROBE_PORT: `${probePort}`,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  // The launcher ends its parts when it is told to; a benchmark that dies must tell it, too.
  const stopNow = () => child.kill('SIGTERM');
  process.once('exit', stopNow);
  const url = await urlOfApi(child);
  return {
    url,
    async memory() {
      const answer = await fetch(`http://127.0.0.1:${probePort}`);
      return answer.json();
    },
    async stop() {
      process.off('exit', stopNow);
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.stdout.resume();
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}

async function urlOfApi(child) {
  let text = '';
  for await (const chunk of child.stdout.iterator({ destroyOnReturn: false })) {
    text += chunk;
    const url = /^ *API +(\S+)/m.exec(text)?.[1];
    if (url) {
      child.stdout.resume();
      return url;
    }
  }
  throw new Error(`The demo did not start:\n${text}`);
}

async function freePort() {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  return port;
}
