const EMPTY = Buffer.alloc(0);
const HEAD_END = '\r\n\r\n';
const LINE_END = '\r\n';

type Framing = 'length' | 'chunks' | 'connection';

/** Reads one HTTP/1.1 answer, as far as it comes. */
export class AnswerParser {
  status: number | undefined;
  headers: Readonly<Record<string, string>> = {};
  isWhole = false;
  readonly #hasBody: boolean;
  readonly #body: Buffer[] = [];
  #unread: Buffer = EMPTY;
  #framing: Framing = 'length';
  /** Bytes that are still to come, of the body or of its current chunk. */
  #missing = 0;
  #inTrailer = false;
  #isLastKept = true;

  constructor(method: string) {
    this.#hasBody = method !== 'HEAD';
  }

  /** Whether the server keeps the connection for another request. */
  get keepsConnection(): boolean {
    return this.#isLastKept && this.#framing !== 'connection';
  }

  get body(): string {
    return Buffer.concat(this.#body).toString();
  }

  push(chunk: Buffer): void {
    this.#unread = this.#unread.length > 0 ? Buffer.concat([this.#unread, chunk]) : chunk;
    while (this.status === undefined) if (!this.#readHead()) return;
    if (this.isWhole) return;
    if (this.#framing === 'chunks') this.#readChunks();
    else this.#readPlain();
  }

  /** Nothing more comes: an answer that only the connection delimits is whole now. */
  end(): void {
    if (this.status !== undefined && this.#framing === 'connection') this.isWhole = true;
  }

  #readHead(): boolean {
    const end = this.#unread.indexOf(HEAD_END);
    if (end < 0) return false;
    const [start = '', ...lines] = this.#take(end + HEAD_END.length).split(LINE_END);
    const [, minor, code] = /^HTTP\/1\.(\d) (\d{3})/.exec(start) ?? [];
    const status = Number(code);
    // An interim answer: the one that counts is still to come.
    if (status < 200) return true;
    this.status = status;
    this.headers = headersOf(lines);
    const { connection = '', 'transfer-encoding': coding, 'content-length': length } = this.headers;
    this.#isLastKept = minor !== '0' && !/\bclose\b/i.test(connection);
    if (!this.#hasBody || status === 204 || status === 304) this.isWhole = true;
    else if (coding?.includes('chunked')) this.#framing = 'chunks';
    else if (length === undefined) this.#framing = 'connection';
    else this.#missing = Number(length);
    return true;
  }

  #readPlain(): void {
    const delimited = this.#framing === 'length';
    this.#keep(delimited ? this.#missing : this.#unread.length);
    if (delimited && this.#missing === 0) this.isWhole = true;
  }

  #readChunks(): void {
    while (!this.isWhole) {
      if (this.#missing > 0) {
        this.#keep(this.#missing);
        if (this.#missing > 0) return;
      }
      const end = this.#unread.indexOf(LINE_END);
      if (end < 0) return;
      const line = this.#take(end + LINE_END.length).trim();
      if (this.#inTrailer) this.isWhole = line === '';
      // The line after a chunk's bytes is empty.
      else if (line !== '') this.#missing = Number.parseInt(line, 16);
      this.#inTrailer ||= line !== '' && this.#missing === 0;
    }
  }

  #keep(length: number): void {
    const bytes = this.#unread.subarray(0, length);
    if (bytes.length > 0) this.#body.push(bytes);
    this.#missing -= Math.min(this.#missing, bytes.length);
    this.#unread = this.#unread.subarray(bytes.length);
  }

  #take(length: number): string {
    const text = this.#unread.toString('latin1', 0, length);
    this.#unread = this.#unread.subarray(length);
    return text;
  }
}

function headersOf(lines: readonly string[]): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon < 0) continue;
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    headers[name] = name in headers ? `${headers[name]}, ${value}` : value;
  }
  return headers;
}
