import { createServer } from 'node:net';

/** Found out first, so that a taken port does not cost a PostgreSQL to learn. */
export async function takenPorts(ports: Readonly<Record<string, number>>): Promise<string[]> {
  const entries = Object.entries(ports).filter(([, port]) => port !== 0);
  const faults = await Promise.all(
    entries.map(async ([name, port]) => {
      const why = await listenOnce(port);
      return why && `${name}=${port} cannot be used: ${why}`;
    }),
  );
  return faults.filter((fault) => fault !== undefined);
}

function listenOnce(port: number): Promise<string | undefined> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', ({ code, message }: NodeJS.ErrnoException) => {
      resolve(code === 'EADDRINUSE' ? 'another process listens there' : message);
    });
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(undefined)));
  });
}
