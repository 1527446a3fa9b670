import { BadGatewayException, Injectable } from '@nestjs/common';
import { currentScope } from 'nestjs-timeouts';
import { Settings } from '../settings.js';

@Injectable()
export class UpstreamClient {
  readonly #baseUrl: string;

  constructor({ upstreamUrl, upstreamPort }: Settings) {
    this.#baseUrl = upstreamUrl ?? `http://127.0.0.1:${upstreamPort}`;
  }

  get(path: string): Promise<Response> {
    return this.#call(path, {});
  }

  post(path: string, body: unknown): Promise<Response> {
    const headers = { 'content-type': 'application/json' };
    return this.#call(path, { method: 'POST', headers, body: JSON.stringify(body) });
  }

  /** Ends with the block or request that makes the call: its connection closes there and then. */
  async #call(path: string, init: RequestInit): Promise<Response> {
    const { signal } = currentScope();
    const response = await fetch(`${this.#baseUrl}${path}`, { ...init, signal });
    if (response.ok) return response;
    await response.body?.cancel();
    throw new BadGatewayException(`The upstream answered ${response.status}`);
  }
}
