import type { AddressInfo } from 'node:net';
import { createUpstream } from './upstream.js';

const port = Number(process.env.UPSTREAM_PORT ?? 3001);
const server = createUpstream();

server.once('error', (error: NodeJS.ErrnoException) => {
  const why = error.code === 'EADDRINUSE' ? `port ${port} is already in use` : error.message;
  console.error(`The upstream could not start: ${why}`);
  process.exit(1);
});

server.listen(port, '127.0.0.1', () => {
  const { address, port: bound } = server.address() as AddressInfo;
  process.send?.({ type: 'listening', url: `http://${address}:${bound}` });
});

function stop(): void {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
  setTimeout(() => server.closeAllConnections(), 1_000).unref();
}

process.once('SIGTERM', stop);
process.once('SIGINT', stop);
// The launcher is gone without a word (SIGKILL): nobody is left to stop us.
process.once('disconnect', stop);
