import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Part } from './part.js';

const FORCED_WITHIN_MS = 2_000;
const LONGEST_TIMER_MS = 2 ** 31 - 1;

interface Listening {
  readonly type: 'listening';
  readonly url: string;
}

export interface NodeProcessOptions {
  readonly name: string;
  readonly script: URL;
  readonly env: NodeJS.ProcessEnv;
  /** How long it may take to end by itself after SIGTERM. */
  readonly stopWithinMs: number;
  readonly output: 'inherit' | 'ignore';
}

/** A Node process of its own session, so that Ctrl-C reaches the launcher alone. */
export class NodeProcess implements Part {
  readonly name: string;
  readonly exited: Promise<string>;
  /** Where it listens; rejects when it ends before it does. */
  readonly listening: Promise<string>;
  readonly #child: ChildProcess;
  readonly #stopWithinMs: number;
  #stopped: Promise<void> | undefined;
  #endedWell = false;

  constructor({ name, script, env, stopWithinMs, output }: NodeProcessOptions) {
    this.name = name;
    this.#stopWithinMs = stopWithinMs;
    this.#child = fork(fileURLToPath(script), [], {
      env,
      execArgv: [],
      detached: true,
      stdio: ['ignore', output, 'inherit', 'ipc'],
    });
    this.exited = this.#ended();
    this.listening = this.#announced();
    this.listening.catch(() => undefined);
  }

  /** Nest ends itself with the signal it was given, once its hooks have run. */
  get endedWell(): boolean {
    return this.#endedWell;
  }

  stop(): Promise<void> {
    return (this.#stopped ??= this.#stop());
  }

  force(): void {
    this.#child.kill('SIGTERM');
    setTimeout(() => this.#child.kill('SIGKILL'), FORCED_WITHIN_MS).unref();
  }

  async #stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    const late = wait(Math.min(this.#stopWithinMs, LONGEST_TIMER_MS), 'late', { ref: false });
    if ((await Promise.race([this.exited, late])) === 'late') this.#child.kill('SIGKILL');
    await this.exited;
  }

  #ended(): Promise<string> {
    return new Promise((resolve) => {
      this.#child.once('error', (error) => resolve(error.message));
      this.#child.once('exit', (code, signal) => {
        this.#endedWell = code === 0 || signal === 'SIGTERM';
        resolve(signal ?? `exit code ${code}`);
      });
    });
  }

  #announced(): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#child.on('message', (message: Listening) => {
        if (message.type === 'listening') resolve(message.url);
      });
      void this.exited.then((end) =>
        reject(new Error(`${this.name} ended (${end}) before it listened`)),
      );
    });
  }
}
