import { describe, expect, it } from '@jest/globals';
import { createHash, randomBytes } from 'node:crypto';
import { get } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { eventually } from '../support/eventually.js';
import { RawConnection, rawRequest } from '../support/raw-connection.js';
import { ADAPTERS, useDemo } from './fixtures/demo.js';

const MEGABYTE = 2 ** 20;

const demo = useDemo();

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
