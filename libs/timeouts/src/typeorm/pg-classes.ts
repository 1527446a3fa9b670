import type { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';

/** `I` idle, `T` in a transaction, `E` in a failed one. */
export type TransactionStatus = 'I' | 'T' | 'E';

export interface ReadyMessage {
  readonly status?: TransactionStatus;
}

export interface DatabaseError extends Error {
  readonly code?: string;
  position?: string;
}

export type QueryCallback = (error: Error | null | undefined, result?: unknown) => void;

export interface PgConnection extends EventEmitter {
  readonly stream: Socket;
  query(text: string): void;
}

/** What a client takes to be sent: pg's own `Query`, a cursor, a stream. */
export interface Submittable {
  callback?: QueryCallback | undefined;
  submit(connection: PgConnection): Error | null | undefined;
  handleError(error: Error, connection: PgConnection): void;
}

export interface PgQuery extends Submittable {
  text?: string;
  readonly values?: readonly unknown[];
  readonly name?: string;
  readonly rows?: number;
  requiresPreparation(): boolean;
  handleDataRow(message: unknown): void;
  handleCommandComplete(message: unknown, connection: PgConnection): void;
  handleReadyForQuery(connection: PgConnection): void;
}

export type QueryClass = new (config: unknown, values?: unknown, callback?: unknown) => PgQuery;

/** The parts of pg's `Client` that deadlines rest on, two of its own message handlers among them. */
export interface PgClient extends EventEmitter {
  readonly connection: PgConnection;
  readonly processID?: number | null;
  readonly secretKey?: number | Buffer | null;
  readonly host: string;
  readonly port: number;
  readonly ssl: unknown;
  readonly sslNegotiation?: string;
  readonly pipeline?: boolean;
  /** Undefined before the first answer, false while one is awaited. */
  readonly readyForQuery?: boolean;
  release?: Release;
  connect(callback?: unknown): unknown;
  query(config: unknown, values?: unknown, callback?: unknown): unknown;
  getTransactionStatus(): TransactionStatus | null;
  _handleReadyForQuery(message: ReadyMessage): void;
  _handleErrorMessage(message: DatabaseError): void;
}

export interface ClientConfig {
  readonly stream?: unknown;
}

export interface ClientClass {
  new (config?: ClientConfig): PgClient;
  readonly Query: QueryClass;
  readonly prototype: PgClient;
}

export type Release = (error?: Error | boolean) => void;

export type ConnectCallback = (error: Error | undefined, client?: PgClient, done?: Release) => void;

export interface PoolOptions {
  readonly max?: number;
  readonly connectionTimeoutMillis?: number;
  readonly Client?: ClientClass;
}

export interface PgPool extends EventEmitter {
  readonly options: PoolOptions;
  readonly ending: boolean;
  readonly idleCount: number;
  get waitingCount(): number;
  connect(callback?: ConnectCallback): unknown;
  end(callback?: () => void): unknown;
}

export type PoolClass = new (options?: PoolOptions) => PgPool;

/** What TypeORM's `driver` option takes: the module `pg`, or something made of it. */
export interface PgDriver {
  readonly Client: ClientClass;
  readonly Pool: PoolClass;
}
