export type Adapter = 'express' | 'fastify';

/** What the demo itself reads from the environment; the limits are read by nestjs-timeouts. */
export class Settings {
  readonly port: number;
  readonly upstreamPort: number;
  readonly upstreamUrl?: string;
  readonly databaseUrl?: string;
  readonly adapter: Adapter;

  constructor(env: NodeJS.ProcessEnv = {}) {
    const faults: string[] = [];
    this.port = port('PORT', env.PORT, 3000, faults);
    this.upstreamPort = port('UPSTREAM_PORT', env.UPSTREAM_PORT, 3001, faults);
    this.upstreamUrl = url('UPSTREAM_URL', env.UPSTREAM_URL, ['http:', 'https:'], faults);
    this.databaseUrl = url('DATABASE_URL', env.DATABASE_URL, ['postgres:', 'postgresql:'], faults);
    this.adapter = adapter(env.ADAPTER, faults);
    if (!this.upstreamUrl && this.port !== 0 && this.port === this.upstreamPort) {
      faults.push(`PORT and UPSTREAM_PORT are both ${this.port}: they must differ`);
    }
    if (faults.length > 0) throw new SettingsError(faults);
  }
}

export class SettingsError extends Error {
  constructor(readonly faults: readonly string[]) {
    super(`The environment is wrong:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`);
  }
}

function port(name: string, value: string | undefined, fallback: number, faults: string[]): number {
  if (!value) return fallback;
  if (/^\d{1,5}$/.test(value) && Number(value) <= 65_535) return Number(value);
  faults.push(`${name} must be a port from 0 (any free one) to 65535, not "${value}"`);
  return fallback;
}

function url(
  name: string,
  value: string | undefined,
  protocols: readonly string[],
  faults: string[],
): string | undefined {
  if (!value) return undefined;
  const parsed = URL.canParse(value) ? new URL(value) : undefined;
  if (parsed && protocols.includes(parsed.protocol)) return value.replace(/\/+$/, '');
  const schemes = protocols.map((protocol) => `${protocol}//`).join(' or ');
  // A URL may carry a password: name what is expected, never what was given.
  faults.push(`${name} must be a URL that begins with ${schemes}`);
  return undefined;
}

function adapter(value: string | undefined, faults: string[]): Adapter {
  if (!value) return 'express';
  if (value === 'express' || value === 'fastify') return value;
  faults.push(`ADAPTER must be express or fastify, not "${value}"`);
  return 'express';
}
