import { Recent } from './recent.js';
import { settingMs } from './statement-limit.js';

const UNLIMITED_ROWS = Buffer.from([0x45, 0, 0, 0, 9, 0, 0, 0, 0, 0]);

/**
 * The messages that limit the one query that follows them up to the same Sync: `set_config` is undone
 * there, and unlike `SET LOCAL` it leaves no warning in the server's log. Its row is filtered out,
 * which is cheaper for both sides than to read it.
 */
export class LimitPrefix {
  readonly #parseNamed: Buffer;
  readonly #parseUnnamed: Buffer;
  readonly #named: Buffer;
  readonly #unnamed: Buffer;
  readonly #locks: string;
  readonly #binds: Recent<Buffer>;
  readonly #texts: Recent<string>;

  constructor(lockMs: number) {
    const isLimited = lockMs !== Infinity;
    const ms = settingMs(lockMs);
    const lock = isLimited ? ` OR set_config('lock_timeout', '${ms}', true) IS NULL` : '';
    const text = `SELECT 1 WHERE set_config('statement_timeout', $1, true) IS NULL${lock}`;
    const name = `nestjs_timeouts_limit${isLimited ? `_${ms}` : ''}`;
    this.#locks = isLimited ? `SET LOCAL lock_timeout = ${ms};` : '';
    this.#parseNamed = parse(name, text);
    this.#parseUnnamed = parse('', text);
    this.#named = bindHead(name);
    this.#unnamed = bindHead('');
    this.#binds = new Recent((value) => bindTo(this.#named, value));
    this.#texts = new Recent((value) => `SET LOCAL statement_timeout = ${value};${this.#locks}`);
  }

  /** In front of a query that is sent as text, which then is the second statement of its message. */
  text(ms: number): string {
    return this.#texts.get(settingMs(ms));
  }

  /** How many results `text` gives. */
  get results(): number {
    return this.#locks === '' ? 1 : 2;
  }

  /** In front of a query with parameters. Parsed once per connection where that is `'known'`. */
  messages(ms: number, statement: 'known' | 'new' | 'unnamed'): Buffer {
    const value = settingMs(ms);
    if (statement === 'known') return this.#binds.get(value);
    if (statement === 'new') return Buffer.concat([this.#parseNamed, this.#binds.get(value)]);
    return Buffer.concat([this.#parseUnnamed, bindTo(this.#unnamed, value)]);
  }
}

function parse(name: string, text: string): Buffer {
  return message('P', `${name}\0${text}\0\0\0`);
}

/** All of a Bind but its value: the unnamed portal, the statement, one parameter as text. */
function bindHead(name: string): Buffer {
  return message('B', `\0${name}\0\0\0\0\x01`);
}

function message(type: string, body: string): Buffer {
  const buffer = Buffer.from(`${type}\0\0\0\0${body}`, 'latin1');
  buffer.writeInt32BE(buffer.length - 1, 1);
  return buffer;
}

function bindTo(head: Buffer, ms: number): Buffer {
  const value = String(ms);
  const end = head.length + 4 + value.length + 2;
  const buffer = Buffer.allocUnsafe(end + UNLIMITED_ROWS.length);
  head.copy(buffer);
  buffer.writeInt32BE(end - 1, 1);
  buffer.writeInt32BE(value.length, head.length);
  buffer.write(value, head.length + 4, 'latin1');
  buffer.writeInt16BE(0, end - 2);
  UNLIMITED_ROWS.copy(buffer, end);
  return buffer;
}
