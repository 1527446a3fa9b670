import { once } from 'node:events';
import { connect } from 'node:net';
import { serve } from './harness/child.mjs';

const statuses = {};

/** Opens connections with one request on each, and waits for none of the answers. */
serve({
  async send({ port, path, count }) {
    const request = `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
    const sockets = Array.from({ length: count }, () => connect({ port, host: '127.0.0.1' }));
    await Promise.all(sockets.map((socket) => once(socket, 'connect')));
    for (const socket of sockets) {
      socket.on('error', () => {});
      socket.once('data', (head) => {
        const status = head.toString('latin1', 9, 12);
        statuses[status] = (statuses[status] ?? 0) + 1;
      });
      socket.write(request);
    }
  },

  /** How often each status was answered, once there are `count` answers or no more come. */
  async statuses(count) {
    const answered = () => Object.values(statuses).reduce((sum, one) => sum + one, 0);
    for (let patience = 100; patience > 0 && answered() < count; patience--) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return statuses;
  },
});
