import type { LoggerService } from '@nestjs/common';

type Level = 'log' | 'error' | 'warn' | 'debug' | 'verbose' | 'fatal';

interface Entry {
  readonly level: Level;
  readonly text: string;
}

/** Keeps what is logged, for tests to read. */
export class RecordingLogger implements LoggerService {
  readonly entries: Entry[] = [];

  log = this.#record('log');
  error = this.#record('error');
  warn = this.#record('warn');
  debug = this.#record('debug');
  verbose = this.#record('verbose');
  fatal = this.#record('fatal');

  /** What was logged at any of `levels`. */
  at(...levels: Level[]): string[] {
    return this.entries.filter(({ level }) => levels.includes(level)).map(({ text }) => text);
  }

  #record(level: Level) {
    return (...parts: unknown[]): void => {
      this.entries.push({ level, text: parts.map(String).join(' ') });
    };
  }
}
