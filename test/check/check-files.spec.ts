import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { checkFiles } from '../../libs/timeouts/src/check/check-files.js';
import type { Finding } from '../../libs/timeouts/src/check/finding.js';
import { repositoryRoot } from '../support/repository.js';

const NAME = 'deploy/kubernetes.yaml';
const MANIFEST = readFileSync(join(repositoryRoot, NAME), 'utf8');
const around = { keepAliveMs: 72_000, env: {} };

function check(text: string, name = NAME): Finding[] {
  return checkFiles([{ name, text }], around);
}

/** The line of the manifest that holds `text`, and the manifest with it replaced. */
function change(text: string, replacement: string): { line: number; changed: string } {
  if (!MANIFEST.includes(text)) throw new Error(`the manifest has no ${text}`);
  const changed = MANIFEST.replace(text, replacement);
  return { line: MANIFEST.slice(0, MANIFEST.indexOf(text)).split('\n').length, changed };
}

describe('the manifest of the demo', () => {
  it('fits', () => {
    expect(check(MANIFEST)).toEqual([]);
  });

  it.each([
    [
      'terminationGracePeriodSeconds: 35',
      'terminationGracePeriodSeconds: 30',
      ['terminationGracePeriodSeconds (30s) is too short', 'set terminationGracePeriodSeconds: 31'],
      ['TERMINATION_GRACE_PERIOD_SECONDS says 35, the pod has 30', 'to "30"'],
    ],
    [
      "SHUTDOWN_GRACE_PERIOD_SECONDS: '20'",
      "SHUTDOWN_GRACE_PERIOD_SECONDS: '40'",
      ['preStop 3s + readiness delay 5s + grace 40s + 3s to clean up take 51s', 'Seconds: 51'],
    ],
    [
      "SHUTDOWN_GRACE_PERIOD_SECONDS: '20'",
      "SHUTDOWN_GRACE_PERIOD_SECONDS: 'soon'",
      ['SHUTDOWN_GRACE_PERIOD_SECONDS is "soon"', 'the application does not start'],
    ],
    [
      'periodSeconds: 5',
      'periodSeconds: 1',
      ['readinessProbe may take 2 s but runs every 1 s', 'set timeoutSeconds to 1 or less'],
    ],
    [
      '/_ops/live',
      '/_ops/ready',
      ['livenessProbe and readinessProbe both ask /_ops/ready', '/_ops/live'],
    ],
    [
      "proxy-read-timeout: '40'",
      "proxy-read-timeout: '30'",
      ['proxy-read-timeout (30s) is not longer than handler (30s)', 'above 30s'],
    ],
    [
      'proxy-next-upstream: error timeout',
      "upstream-keepalive-timeout: '90'",
      ["is not shorter than the server's keepAliveTimeout (72s)", 'above 90s'],
    ],
  ])('%s → %s', (text, replacement, ...expected) => {
    const { changed } = change(text, replacement);

    const findings = check(changed);

    expect(findings.map(({ message, fix }) => [message, fix])).toEqual(
      expect.arrayContaining(
        expected.map(([message, fix]) => [
          expect.stringContaining(message!),
          expect.stringContaining(fix!),
        ]),
      ),
    );
    expect(findings).toHaveLength(expected.length);
  });

  it('names the line', () => {
    const { line, changed } = change("proxy-read-timeout: '40'", "proxy-read-timeout: '10'");

    expect(check(changed)).toMatchObject([{ file: NAME, line }]);
  });
});

describe('an nginx configuration', () => {
  const conf = `
    upstream answers {
      server 127.0.0.1:3000;
      keepalive 32;
      keepalive_timeout 75s; # longer than Node's 5 s
    }
    server {
      keepalive_timeout 3600s;
      location /v1/ { proxy_pass http://answers; proxy_read_timeout 10s; }
    }`;

  it('is checked against the environment where there is no manifest', () => {
    const findings = checkFiles([{ name: 'nginx.conf', text: conf }], {
      keepAliveMs: 5_000,
      env: { REQUEST_TIMEOUT_SECONDS: '20' },
    });

    expect(findings.map(({ line, message }) => [line, message])).toEqual([
      [5, expect.stringContaining("keepalive_timeout (75s) is not shorter than the server's")],
      [9, expect.stringContaining('proxy_read_timeout (10s) is not longer than handler (20s)')],
    ]);
  });

  it('fits where the proxy is the more patient one', () => {
    expect(check(conf.replace('75s', '60').replace('10s', '1m'), 'nginx.conf')).toEqual([]);
  });
});

describe('a manifest', () => {
  it('without any of our variables, beside another container, is left alone', () => {
    const text = `
      kind: Pod
      spec:
        terminationGracePeriodSeconds: 1
        containers: [{ name: a }, { name: b }]`;

    expect(check(text, 'pod.yml')).toEqual([]);
  });

  it('that is a List is read too', () => {
    const text = `{"kind":"List","items":[{"kind":"Pod","spec":{"terminationGracePeriodSeconds":1,"containers":[{"name":"a"}]}}]}`;

    expect(check(text, 'list.json')).toMatchObject([{ file: 'list.json', line: 1 }]);
  });

  it('that is not YAML is refused with its line', () => {
    expect(() => check('kind: Pod\nspec: [', 'broken.yaml')).toThrow(/^broken\.yaml:\d /);
  });
});
