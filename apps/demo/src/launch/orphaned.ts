const LOOK_EVERY_MS = 250;

/**
 * Calls back when npm is gone. `npm start` puts a shell between npm and this process, and a shell
 * that is sent SIGTERM dies without passing it on.
 */
export function onceOrphaned(callback: () => void): void {
  if (!process.env.npm_lifecycle_event) return;
  const parent = process.ppid;
  const look = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(look);
    callback();
  }, LOOK_EVERY_MS).unref();
}
