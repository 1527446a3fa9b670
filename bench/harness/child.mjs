import { fork } from 'node:child_process';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';

// NODE=/path/to/node measures another Node than the one that runs this script.
const execPath = process.env.NODE || process.execPath;

/** Parent's side: a child process whose exported functions are called over IPC. */
export class Child {
  #process;
  #pending = new Map();
  #nextId = 0;
  #ended;

  constructor(file, args = [], execArgv = []) {
    this.name = [basename(file, '.mjs'), ...args].join(' ');
    this.#process = fork(fileURLToPath(new URL(file, import.meta.url)), args, {
      execPath,
      execArgv,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#process.on('message', (message) => this.#settle(message));
    this.#process.on('error', (error) => this.#fail(error.message));
    this.#process.on('exit', (code, signal) => this.#fail(`ended early (${signal ?? code})`));
  }

  ask(method, argument) {
    if (this.#ended) return Promise.reject(new Error(this.#ended));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#process.send({ id, method, argument }, (error) => error && this.#fail(error.message));
    });
  }

  /** SIGKILL: a benchmark's child has nothing to save, and its sockets must close at once. */
  async stop() {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exited = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.kill('SIGKILL');
    await exited;
  }

  #settle({ id, result, error }) {
    const { resolve, reject } = this.#pending.get(id);
    this.#pending.delete(id);
    if (error === undefined) resolve(result);
    else reject(new Error(`${this.name}: ${error}`));
  }

  #fail(why) {
    this.#ended ??= `${this.name}: ${why}`;
    for (const { reject } of this.#pending.values()) reject(new Error(this.#ended));
    this.#pending.clear();
  }
}

/** Child's side. It ends with its parent, however the parent ended. */
export function serve(methods) {
  process.on('disconnect', () => process.exit());
  process.on('message', async ({ id, method, argument }) => {
    try {
      process.send({ id, result: await methods[method](argument) });
    } catch (error) {
      process.send({ id, error: error?.message ?? String(error) });
    }
  });
}

/** Runs `body` with a starter of children, and ends all of them whatever happens. */
export async function withChildren(body) {
  const children = [];
  const start = (...args) => {
    const child = new Child(...args);
    children.push(child);
    return child;
  };
  try {
    return await body(start);
  } finally {
    await Promise.all(children.map((child) => child.stop()));
  }
}
