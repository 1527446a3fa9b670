import { describe, expect, it } from '@jest/globals';
import { createHash, randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { get } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { drip, readSlowly, stall, vanish } from 'nestjs-timeouts/testing';
import { DataSource } from 'typeorm';
import { eventually } from '../support/eventually.js';
import { RawConnection, rawRequest } from '../support/raw-connection.js';
import { ADAPTERS, useDemo } from './fixtures/demo.js';

const MEGABYTE = 2 ** 20;

const LIMIT = 500;
const SECONDS = `${LIMIT / 1_000}`;
const SLOW_BODY = { body: 'x'.repeat(1_000), bytes: 1, every: '50ms' } as const;

const demo = useDemo({
  REQUEST_BODY_TIMEOUT_SECONDS: SECONDS,
  REQUEST_BODY_GRACE_SECONDS: SECONDS,
  RESPONSE_GRACE_SECONDS: SECONDS,
});

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const digestOf = (bytes: Uint8Array) => ({ bytes: bytes.length, sha256: sha256(bytes) });

function form(): FormData {
  const data = new FormData();
  data.set('name', 'ada');
  data.set('file', new Blob([randomBytes(3 * MEGABYTE)]), 'noise.bin');
  return data;
}

/** Bodies as a browser or a script would send them, with the type that goes with each. */
const BODIES: Readonly<Record<string, () => RequestInit['body']>> = {
  json: () => JSON.stringify({ text: 'é'.repeat(100_000) }),
  'broken json': () => '{"text": ',
  form: () => new URLSearchParams({ name: 'ada', text: 'x y&z'.repeat(1_000) }),
  multipart: form,
  binary: () => randomBytes(20 * MEGABYTE),
  empty: () => '',
};

const TYPES: Readonly<Record<string, string>> = {
  json: 'application/json',
  'broken json': 'application/json',
};

describe.each(ADAPTERS)('bodies on %s', (adapter) => {
  const url = (path: string) => `${demo.on(adapter).url}${path}`;
  const port = () => Number(new URL(demo.on(adapter).url).port);

  describe.each(['/lab/echo', '/lab/bulk'])('POST %s', (path) => {
    it.each(Object.keys(BODIES))('reads every byte of a body: %s', async (name) => {
      const encoded = new Response(BODIES[name]!());
      const type = TYPES[name] ?? encoded.headers.get('content-type');
      const body = new Uint8Array(await encoded.arrayBuffer());

      const answer = await fetch(url(path), {
        method: 'POST',
        body,
        headers: { 'content-type': type ?? 'application/octet-stream' },
      });

      expect({ status: answer.status, digest: await answer.json() }).toEqual({
        status: 200,
        digest: digestOf(body),
      });
    });

    it('reads a chunked body', async () => {
      const chunks = Array.from({ length: 50 }, (_, index) => randomBytes(1 + index * 1_000));

      const answer = await fetch(url(path), {
        method: 'POST',
        body: ReadableStream.from(chunks) as RequestInit['body'],
        headers: { 'content-type': 'application/json' },
        duplex: 'half',
      } as RequestInit);

      expect(await answer.json()).toEqual(digestOf(Buffer.concat(chunks)));
    });

    it('reads a body of no type and no length', async () => {
      const client = await RawConnection.open(port());
      const chunks = '5\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\n\r\n';
      const headers = ['Transfer-Encoding: chunked', 'Connection: close'];

      client.send(rawRequest('POST', path, headers, chunks));
      await client.closed;

      expect(client.received).toMatch(/^HTTP\/1.1 200 OK/);
      expect(client.received).toContain(JSON.stringify(digestOf(Buffer.from('hello world'))));
    });
  });

  it('D03 a client that leaves in the middle of its body gets no digest', async () => {
    const { monitor } = demo.on(adapter);
    const cancels = () =>
      monitor.snapshot().counters.find(({ route }) => route === 'POST /lab/echo')?.count ?? 0;
    const before = cancels();
    const client = await RawConnection.open(port());
    client.send(rawRequest('POST', '/lab/echo', ['Content-Length: 1000'], 'half of it'));
    const inFlight = () => monitor.snapshot().inFlight.length === 1;
    await eventually(inFlight, 'the upload');

    client.leave();

    await eventually(() => monitor.snapshot().inFlight.length === 0, 'the end of the upload');
    expect(cancels()).toBe(before + 1);
    expect(client.received).toBe('');
  });

  describe('POST /v1/documents', () => {
    const upload = (body: RequestInit['body'], headers: Record<string, string> = {}) =>
      fetch(url('/v1/documents'), { method: 'POST', body, headers });
    const sql = <T>(text: string, values: unknown[] = []): Promise<T[]> =>
      demo.on(adapter).app.get(DataSource).query(text, values);
    const counts = async () => {
      const [row] = await sql(
        'SELECT (SELECT count(*) FROM documents), (SELECT count(*) AS chunks FROM document_chunks)',
      );
      return row;
    };
    const spooled = () =>
      readdirSync(tmpdir()).filter((name) => name.startsWith('answers-upload-'));

    it.each([
      ['small', 'application/json', 5],
      ['empty', 'text/plain', 0],
      ['large', 'application/octet-stream', 20 * MEGABYTE + 1],
    ])('stores what was uploaded, to the byte: %s', async (_size, type, length) => {
      const body = randomBytes(length);
      const left = spooled();

      const answer = await upload(body, { 'content-type': type });

      const document = (await answer.json()) as { id: string };
      expect({ status: answer.status, document }).toEqual({
        status: 202,
        document: { id: expect.any(String), jobId: null, ...digestOf(body) },
      });
      const [stored] = await sql<{ bytes: string; content: Buffer | null }>(
        `SELECT bytes, string_agg(content, ''::bytea ORDER BY position) AS content
         FROM documents LEFT JOIN document_chunks ON document_id = id WHERE id = $1 GROUP BY id`,
        [document.id],
      );
      expect(Number(stored!.bytes)).toBe(length);
      expect(digestOf(stored!.content ?? Buffer.of())).toEqual(digestOf(body));
      expect(spooled()).toEqual(left);
    });

    it.each(['reset', 'close'] as const)(
      'D03 keeps nothing of an abandoned one: %s',
      async (by) => {
        const { monitor } = demo.on(adapter);
        const before = await counts();
        const left = spooled();
        const body = randomBytes(4 * MEGABYTE);

        const view = await vanish(url('/v1/documents'), {
          body,
          at: 'mid-body',
          after: '100ms',
          by,
        });

        expect(view).toMatchObject({ ended: 'left', bytesReceived: 0 });
        await eventually(() => monitor.snapshot().inFlight.length === 0, 'the end of the upload');
        await eventually(() => spooled().length === left.length, 'the end of its file');
        expect(await counts()).toEqual(before);
        expect(demo.errors).toEqual([]);
      },
    );

    it('B03 keeps nothing of a dripped one, and says so', async () => {
      const before = await counts();
      const left = spooled();

      const view = await drip(url('/v1/documents'), SLOW_BODY);

      expect(view).toMatchObject({ status: 408, whole: true, ended: 'closed' });
      expect(JSON.parse(view.body)).toMatchObject({ code: 'body_timeout', layer: 'body' });
      await eventually(() => spooled().length === left.length, 'the end of its file');
      expect(await counts()).toEqual(before);
      expect(demo.errors).toEqual([]);
    });
  });

  it.each(['/lab/echo', '/lab/bulk'])('B03 cuts a body that is dripped to %s', async (path) => {
    const view = await drip(url(path), SLOW_BODY);

    expect(view).toMatchObject({ status: 408, whole: true, ended: 'closed' });
    expect(JSON.parse(view.body)).toMatchObject({ code: 'body_timeout', layer: 'body' });
    expect(view.elapsedMs).toBeGreaterThanOrEqual(LIMIT);
  });

  it('B02 cuts a body that stalls, where the route does not allow for it', async () => {
    const body = 'x'.repeat(MEGABYTE);

    const [echo, bulk] = await Promise.all([
      stall(url('/lab/echo'), { body }),
      stall(url('/lab/bulk'), { body, giveUpAfter: 3 * LIMIT }),
    ]);

    expect(echo).toMatchObject({ status: 408, whole: true, ended: 'closed' });
    expect(bulk).toMatchObject({ bytesReceived: 0, ended: 'open' });
  });

  it('B11 cuts a client that does not read a large download', async () => {
    const { monitor } = demo.on(adapter);

    const view = await readSlowly(url('/lab/large?mb=10240'), { giveUpAfter: '15s' });

    expect(view).toMatchObject({ whole: false, ended: 'reset' });
    await eventually(() => monitor.snapshot().inFlight.length === 0, 'the end of the download');
    expect(demo.errors).toEqual([]);
  });

  it('makes a large download as it is read', async () => {
    const before = process.memoryUsage.rss();
    const download = readSlowly(url('/lab/large?mb=10240'), {
      bytes: 65_536,
      every: '20ms',
      giveUpAfter: '1.5s',
    });

    expect(await download).toMatchObject({ status: 200, whole: false, ended: 'open' });
    expect(process.memoryUsage.rss() - before).toBeLessThan(100 * MEGABYTE);
  });

  it('streams a large download', async () => {
    const answer = await fetch(url('/lab/large?mb=64'));

    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('application/octet-stream');
    expect(Number(answer.headers.get('content-length'))).toBe(64 * MEGABYTE);
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const chunk of answer.body!) {
      bytes += chunk.length;
      hash.update(chunk);
    }
    expect({ bytes, sha256: hash.digest('hex') }).toEqual(
      digestOf(Buffer.alloc(64 * MEGABYTE, 'nestjs-timeouts ')),
    );
  });

  it('D01 a client that leaves ends a large download', async () => {
    const { monitor } = demo.on(adapter);
    const request = get(url('/lab/large?mb=10240'), { agent: false });
    const [answer] = (await once(request, 'response')) as [IncomingMessage];
    await once(answer, 'data');
    expect(monitor.snapshot().inFlight).toMatchObject([{ route: 'GET /lab/large' }]);

    request.destroy();

    await eventually(() => monitor.snapshot().inFlight.length === 0, 'the end of the download');
    expect(demo.errors).toEqual([]);
  });
});
