import type { ProxyLimit } from './proxy-rules.js';

const DIRECTIVES: Readonly<Record<string, ProxyLimit['limits']>> = {
  proxy_read_timeout: 'answer',
  client_body_timeout: 'body',
  proxy_send_timeout: 'body',
};

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** The limits that an nginx configuration sets, by directive; `keepalive_timeout` in `upstream` only. */
export function limitsInNginx(file: string, text: string): ProxyLimit[] {
  const limits: ProxyLimit[] = [];
  const blocks: string[] = [];
  for (const { line, words, end } of statements(text)) {
    if (end === '}') blocks.pop();
    else if (end === '{') blocks.push(words[0] ?? '');
    else {
      const [name = '', value = ''] = words;
      const isUpstreamIdle = name === 'keepalive_timeout' && blocks.includes('upstream');
      const kind = isUpstreamIdle ? 'idle' : DIRECTIVES[name];
      const ms = parseNginxTime(value);
      if (kind && ms !== undefined) limits.push({ file, line, name, ms, limits: kind });
    }
  }
  return limits;
}

/** `60`, `60s`, `1m 30s`; a bare number is seconds. */
export function parseNginxTime(text: string): number | undefined {
  const parts = [...text.matchAll(/(\d+)(ms|s|m|h|d)?/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== text.replace(/\s/g, '')) {
    return undefined;
  }
  return parts.reduce((sum, [, digits, unit]) => sum + Number(digits) * UNIT_MS[unit ?? 's']!, 0);
}

interface Statement {
  readonly line: number;
  readonly words: string[];
  readonly end: ';' | '{' | '}';
}

function* statements(text: string): Generator<Statement> {
  let words: string[] = [];
  let start = 0;
  let line = 1;
  for (const [token] of text.matchAll(
    /\n|#[^\n]*|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[;{}]|[^\s;{}"']+/g,
  )) {
    if (token === ';' || token === '{' || token === '}') {
      yield { line: start || line, words, end: token };
      words = [];
      start = 0;
    } else if (token !== '\n' && !token.startsWith('#')) {
      start ||= line;
      words.push(token.replace(/^["']|["']$/g, ''));
    }
    line += token.split('\n').length - 1;
  }
}
