import { RawConnection, rawRequest } from './raw-connection.js';

const HEAD_END = '\r\n\r\n';

/** Reads JSON answers off one connection, and minds every byte: nothing may follow an answer. */
export class AnswerReader {
  private constructor(private readonly connection: RawConnection) {}

  static async open(port: number): Promise<AnswerReader> {
    return new AnswerReader(await RawConnection.open(port));
  }

  async ask(path: string): Promise<{ status: number; body: unknown }> {
    const { connection } = this;
    if (connection.received !== '') throw new Error(`unasked for: ${connection.received}`);
    connection.send(rawRequest('GET', path));
    return new Promise((resolve, reject) => {
      const look = () => {
        const headEnd = connection.received.indexOf(HEAD_END);
        if (headEnd < 0) return undefined;
        const head = connection.received.slice(0, headEnd);
        const body = connection.received.slice(headEnd + HEAD_END.length);
        const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1]);
        if (body.length < length) return undefined;
        connection.socket.off('data', look);
        connection.received = body.slice(length);
        if (Number.isNaN(length)) return reject(new Error(`without a length: ${head}`));
        return resolve({
          status: Number(head.slice(9, 12)),
          body: JSON.parse(body.slice(0, length)),
        });
      };
      connection.socket.on('data', look);
    });
  }

  /** Leaves, once anything that should not come has had its chance. */
  async close(): Promise<void> {
    const { connection } = this;
    connection.halfClose();
    await connection.closed;
    if (connection.received !== '') throw new Error(`unasked for: ${connection.received}`);
  }
}
