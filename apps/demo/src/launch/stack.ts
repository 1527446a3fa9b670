import { startPostgres } from '../postgres/embedded-postgres.js';
import type { Settings } from '../settings.js';
import { NodeProcess } from './node-process.js';
import type { Part } from './part.js';

const API = new URL('../main.js', import.meta.url);
const UPSTREAM = new URL('../../upstream/main.js', import.meta.url);

export interface StackOptions {
  readonly settings: Settings;
  readonly env: NodeJS.ProcessEnv;
  /** How long the API may take to drain before it is ended. */
  readonly drainWithinMs: number;
  /** Where what the API prints goes; what it prints on stderr is always shown. */
  readonly output: 'inherit' | 'ignore';
}

export interface Urls {
  readonly api: string;
  readonly upstream: string;
  readonly database: string;
}

/** PostgreSQL, the upstream and the API: started in that order, stopped in the other. */
export class Stack {
  /** Settles when a part ends that nobody asked to. */
  readonly failure: Promise<string>;
  readonly #options: StackOptions;
  #reportFailure!: (failure: string) => void;
  #api: NodeProcess | undefined;
  #upstream: NodeProcess | undefined;
  #postgres: Part | undefined;
  #starting: Promise<Urls> | undefined;
  #stopping: Promise<void> | undefined;

  constructor(options: StackOptions) {
    this.#options = options;
    this.failure = new Promise((resolve) => (this.#reportFailure = resolve));
  }

  start(): Promise<Urls> {
    return (this.#starting ??= this.#start());
  }

  /** Also ends a start that is under way. */
  stop(): Promise<void> {
    return (this.#stopping ??= this.#stop());
  }

  /** Cuts a `stop` short that is under way. */
  force(): void {
    this.#api?.force();
  }

  /** Whether the API ended by itself once it was asked to. */
  get drained(): boolean {
    return !this.#api || this.#api.endedWell;
  }

  async #start(): Promise<Urls> {
    const [database, upstream] = await bothOrNeither(this.#startDatabase(), this.#startUpstream());
    this.#throwIfStopping();
    const { env, drainWithinMs, output, settings } = this.#options;
    this.#api = new NodeProcess({
      name: 'The API',
      script: API,
      env: { ...env, PORT: `${settings.port}`, DATABASE_URL: database, UPSTREAM_URL: upstream },
      stopWithinMs: drainWithinMs,
      output,
    });
    const api = await this.#api.listening;
    this.#watch(this.#api);
    return { api, upstream, database };
  }

  async #startDatabase(): Promise<string> {
    const { databaseUrl } = this.#options.settings;
    if (databaseUrl) return databaseUrl;
    const { url, exited, stop } = await startPostgres();
    this.#postgres = { name: 'PostgreSQL', exited, stop, force: () => undefined };
    this.#watch(this.#postgres);
    return url;
  }

  async #startUpstream(): Promise<string> {
    const { upstreamUrl, upstreamPort } = this.#options.settings;
    if (upstreamUrl) return upstreamUrl;
    // NODE_OPTIONS is meant for the API: a second inspector on one port would only complain.
    const { NODE_OPTIONS: _, ...env } = this.#options.env;
    this.#upstream = new NodeProcess({
      name: 'The upstream',
      script: UPSTREAM,
      env: { ...env, UPSTREAM_PORT: `${upstreamPort}` },
      stopWithinMs: 5_000,
      output: 'inherit',
    });
    const url = await this.#upstream.listening;
    this.#watch(this.#upstream);
    return url;
  }

  async #stop(): Promise<void> {
    await this.#api?.stop();
    // What was still starting is stopped once it has started, or has failed to.
    await this.#starting?.catch(() => undefined);
    await this.#api?.stop();
    await this.#upstream?.stop();
    await this.#postgres?.stop();
  }

  #watch({ name, exited }: Part): void {
    void exited.then((end) => {
      if (!this.#stopping) this.#reportFailure(`${name} ended unexpectedly (${end})`);
    });
  }

  #throwIfStopping(): void {
    if (this.#stopping) throw new Error('Stopped while starting');
  }
}

/** Unlike `Promise.all`, fails only when both have settled, so that nothing starts behind its back. */
async function bothOrNeither<A, B>(a: Promise<A>, b: Promise<B>): Promise<[A, B]> {
  await Promise.allSettled([a, b]);
  return Promise.all([a, b]);
}
