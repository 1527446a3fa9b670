import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

const waiting = new WeakMap<Socket, Set<ServerResponse>>();

/**
 * Node gives a response its connection, and tells it of the end of it, only once the responses to
 * earlier requests of that connection are sent. This one waits for that, and hears of the end too.
 */
export function closeWithConnection(res: ServerResponse, socket: Socket): void {
  const queue = waiting.get(socket) ?? openQueue(socket);
  queue.add(res);
  res.once('socket', () => queue.delete(res));
}

function openQueue(socket: Socket): Set<ServerResponse> {
  const queue = new Set<ServerResponse>();
  waiting.set(socket, queue);
  socket.once('close', () => queue.forEach(closeUnsent));
  return queue;
}

function closeUnsent(res: ServerResponse): void {
  res.destroy();
  res.emit('close');
}
