import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { serve } from './harness/child.mjs';

const WORKERS = 128;
const ABANDONED = [
  'GET /abandoned HTTP/1.1\r\nHost: localhost\r\n\r\n',
  // Half of a body, so that it is the body parser that waits.
  'POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n' +
    'Content-Length: 1000\r\n\r\n{"half":',
];

serve({
  /** A third each: answered, timed out (obeying and ignoring), abandoned. Counts the answers. */
  async run({ port, count }) {
    const agent = new Agent({ keepAlive: true, maxSockets: WORKERS });
    const statuses = {};
    let next = 0;
    const work = async () => {
      for (let i = next++; i < count; i = next++) {
        const half = Math.floor(i / 3) % 2;
        let status = 'abandoned';
        if (i % 3 === 0) status = await answer(port, agent, '/normal');
        else if (i % 3 === 1) status = await answer(port, agent, half ? '/obeys' : '/ignores');
        else await abandon(port, ABANDONED[half], i);
        statuses[status] = (statuses[status] ?? 0) + 1;
      }
    };
    await Promise.all(Array.from({ length: WORKERS }, work));
    agent.destroy();
    return statuses;
  },
});

function answer(port, agent, path) {
  return new Promise((resolve, reject) => {
    const sent = request({ port, host: '127.0.0.1', agent, path }, (response) => {
      response.resume();
      response.once('end', () => resolve(response.statusCode));
    });
    sent.once('error', reject);
    sent.end();
  });
}

async function abandon(port, text, i) {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.on('error', () => {});
  await once(socket, 'connect');
  socket.write(text);
  await sleep(1 + (i % 7));
  // Mostly by a reset: tens of thousands of ordinary ends would use up the local ports.
  if (i % 8) socket.resetAndDestroy();
  else socket.destroy();
}
