import type { Urls } from './stack.js';

export function welcome({ api, upstream, database }: Urls): string {
  return `
  API         ${api}
  upstream    ${upstream}  (its /stats shows whose work went on)
  PostgreSQL  ${withoutPassword(database)}

  Try:
    curl -i '${api}/v1/orders?limit=3'
    curl -i '${api}/lab/deaf?ms=60000'
    curl -i '${api}/v1/search?q=nest&delayMs=0,3000,0'
    curl -N -H 'content-type: application/json' '${api}/v1/chat/completions' \\
         -d '{ "messages": [{ "role": "user", "content": "hi" }], "stream": true }'
    curl -i '${api}/lab/upstream?ms=60000'; curl '${upstream}/stats'
    curl -i '${api}/v1/quick?seconds=60'
    curl -i '${api}/_ops/timeouts'

  Ctrl-C drains and stops everything.
`;
}

function withoutPassword(database: string): string {
  const url = new URL(database);
  if (url.password) url.password = '***';
  return url.href;
}
