import { spawn } from 'node:child_process';

/*
 * A parent that is killed with SIGKILL leaves its PostgreSQL running for ever. This shell waits for
 * the end of its standard input, which comes even then; a line means that all is well. A cluster
 * that is being made has a negative process id in its lock file: that one is not ours to signal.
 */
const SCRIPT = `
read -r line && exit 0
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null)
case "$pid" in
  ''|-*) ;;
  *) kill -INT "$pid"
     tries=0
     while kill -0 "$pid" 2>/dev/null && [ $tries -lt 50 ]; do sleep 0.1; tries=$((tries + 1)); done
     kill -QUIT "$pid" 2>/dev/null && sleep 1 ;;
esac
rm -rf "$1"
`;

/** Stops the PostgreSQL in `directory` should this process die without doing so itself. */
export function watchOver(directory: string): { dismiss(): void } {
  if (process.platform === 'win32') return { dismiss: () => undefined };

  const shell = spawn('/bin/sh', ['-c', SCRIPT, 'postgres-watchdog', directory], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  shell.on('error', () => undefined);
  shell.stdin.on('error', () => undefined);
  shell.unref();
  return { dismiss: () => void shell.stdin.end('done\n') };
}
