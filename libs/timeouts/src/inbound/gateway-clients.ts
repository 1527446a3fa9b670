import type { Clock } from '../core/clock.js';

/** A client that does not confirm the end is not waited for any longer. */
const FAREWELL_LIMIT_MS = 500;

const GOING_AWAY = 1001;
const OPEN = 1;

interface Emitter {
  once(event: 'close', listener: () => void): unknown;
}

/** A connection of the `ws` package. */
interface NativeClient extends Emitter {
  readonly readyState: number;
  close(code: number, reason: string): void;
}

/** A socket of socket.io, and the connection it shares with those of other namespaces. */
interface IoClient {
  readonly connected: boolean;
  readonly conn: Emitter & { close(): void };
}

/** What a gateway calls its server: one of `ws` or socket.io, or a namespace of the latter. */
export interface GatewayServer {
  readonly clients?: ReadonlySet<NativeClient>;
  readonly sockets?: IoSockets | { readonly sockets: IoSockets };
}

type IoSockets = ReadonlyMap<string, IoClient>;

export function isConnected(client: Partial<NativeClient & IoClient>): boolean {
  return client.connected ?? (client.readyState === undefined || client.readyState === OPEN);
}

/**
 * Tells all clients of the servers that this end goes away, and waits until they have heard it. Those
 * of socket.io look for another connection by themselves.
 */
export async function sayFarewell(servers: Iterable<GatewayServer>, clock: Clock): Promise<void> {
  const ends: Promise<void>[] = [];
  for (const server of servers) {
    for (const client of nativeClientsOf(server)) {
      if (client.readyState !== OPEN) continue;
      ends.push(ended(client));
      client.close(GOING_AWAY, 'going away');
    }
    for (const { conn } of ioClientsOf(server)) {
      ends.push(ended(conn));
      // Not the socket's own `disconnect`: a client that is sent away does not come back elsewhere.
      conn.close();
    }
  }
  if (ends.length > 0) await within(FAREWELL_LIMIT_MS, Promise.all(ends), clock);
}

function nativeClientsOf({ clients }: GatewayServer): Iterable<NativeClient> {
  return clients instanceof Set ? clients : [];
}

function ioClientsOf({ sockets }: GatewayServer): IoClient[] {
  const found = sockets instanceof Map ? sockets : (sockets as { sockets?: unknown })?.sockets;
  return found instanceof Map ? [...(found as IoSockets).values()] : [];
}

function ended(connection: Emitter): Promise<void> {
  return new Promise((resolve) => void connection.once('close', resolve));
}

async function within(ms: number, all: Promise<unknown>, clock: Clock): Promise<void> {
  await new Promise<void>((resolve) => {
    const alarm = clock.at(clock.now() + ms, { ring: resolve });
    void all.then(() => {
      alarm.cancel();
      resolve();
    });
  });
}
