import { describe, expect, it } from '@jest/globals';
import { AnswerParser } from './answer-parser.js';

const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';

/** The same answer, all at once and byte by byte. */
function both(text: string, method = 'GET'): AnswerParser[] {
  const atOnce = new AnswerParser(method);
  const byByte = new AnswerParser(method);
  atOnce.push(Buffer.from(text));
  for (const byte of Buffer.from(text)) byByte.push(Buffer.of(byte));
  return [atOnce, byByte];
}

describe.each([0, 1])('an answer, read in way %i', (way) => {
  const read = (text: string, method?: string) => both(text, method)[way]!;

  it('ends with its length', () => {
    const head = 'HTTP/1.1 201 Created\r\nContent-Length: 4\r\nX-A: 1\r\nx-a: 2\r\n\r\n';

    expect(read(`${head}bod`)).toMatchObject({ status: 201, isWhole: false, body: 'bod' });
    expect(read(`${head}body`)).toMatchObject({
      isWhole: true,
      keepsConnection: true,
      body: 'body',
      headers: { 'content-length': '4', 'x-a': '1, 2' },
    });
    expect(read(`${head}body and more`)).toMatchObject({ isWhole: true, body: 'body' });
  });

  it('ends with its last chunk', () => {
    const chunks = '5\r\nhello\r\n6;ext=1\r\n\r\n you\r\n';

    expect(read(`${CHUNKED}5\r\nhel`)).toMatchObject({ isWhole: false, body: 'hel' });
    expect(read(`${CHUNKED}${chunks}0\r\n`)).toMatchObject({ isWhole: false });
    expect(read(`${CHUNKED}${chunks}0\r\n\r\n`)).toMatchObject({
      isWhole: true,
      body: 'hello\r\n you',
    });
    expect(read(`${CHUNKED}0\r\nX-Trailer: 1\r\n\r\n`)).toMatchObject({ isWhole: true, body: '' });
  });

  it('ends with the connection', () => {
    const answer = read('HTTP/1.1 200 OK\r\n\r\nsome');

    expect(answer).toMatchObject({ isWhole: false, keepsConnection: false, body: 'some' });
    answer.end();
    expect(answer.isWhole).toBe(true);
  });

  it('does not become whole because the connection ended', () => {
    const answer = read('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome');
    answer.end();

    expect(answer.isWhole).toBe(false);
  });

  it('may have no body', () => {
    const length = 'Content-Length: 4\r\n\r\n';

    expect(read(`HTTP/1.1 200 OK\r\n${length}`, 'HEAD').isWhole).toBe(true);
    expect(read(`HTTP/1.1 304 Not Modified\r\n${length}`).isWhole).toBe(true);
    expect(read('HTTP/1.1 204 No Content\r\n\r\n').isWhole).toBe(true);
    expect(read('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n').isWhole).toBe(true);
  });

  it('follows interim ones', () => {
    const interim = 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n';

    expect(read(interim)).toMatchObject({ status: undefined, isWhole: false });
    expect(read(`${interim}HTTP/1.1 204 No Content\r\n\r\n`)).toMatchObject({
      status: 204,
      headers: {},
    });
  });

  it('says whether the connection is kept', () => {
    const closing = 'Content-Length: 0\r\nConnection: Close\r\n\r\n';

    expect(read(`HTTP/1.1 408 Request Timeout\r\n${closing}`).keepsConnection).toBe(false);
    expect(read('HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n').keepsConnection).toBe(false);
  });
});
