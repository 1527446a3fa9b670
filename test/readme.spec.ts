import { describe, expect, it } from '@jest/globals';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { exampleFaults } from './support/example-compiler.js';
import { headingAnchors, linkTargets, npmScripts, tableOf } from './support/markdown.js';
import { DEFAULT_ROWS, LAYERS, OPTION_COLUMNS, optionRow } from './support/options-table.js';
import { readJson, readText, repositoryRoot } from './support/repository.js';

const COMPILING_MS = 60_000;
const scripts = Object.keys(readJson<{ scripts: object }>('package.json').scripts);

describe('the README', () => {
  const readme = (): string => readText('README.md');

  it('has examples that compile', () => expect(exampleFaults(readme())).toEqual([]), COMPILING_MS);

  it('states the defaults that the code has', () => {
    const rows = tableOf(readme(), [...OPTION_COLUMNS, 'layer']);

    expect(rows.map(optionRow)).toEqual(DEFAULT_ROWS);
  });

  it('names layers that exist', () => {
    const layers = tableOf(readme(), [...OPTION_COLUMNS, 'layer']).map(({ layer }) => layer);

    expect(layers.filter((layer) => layer && !LAYERS.test(layer))).toEqual([]);
  });

  it('links to what exists', () => {
    expect(linkTargets(readme()).filter((target) => !isThere(target, readme()))).toEqual([]);
  });

  it('mentions npm scripts that exist', () => {
    expect(npmScripts(readme()).filter((script) => !scripts.includes(script))).toEqual([]);
  });
});

describe('the checks of examples', () => {
  it(
    'report an error with its line in the document',
    () => {
      const document = [
        '# Title',
        '```ts',
        '// greeting.ts',
        `export const greeting: string = 'hello';`,
        '```',
        'then',
        '```ts',
        `import { greeting } from './greeting.js';`,
        `import { Injectable } from '@nestjs/common';`,
        '@Injectable() class Greeter { readonly length: string = greeting; }',
        'const length: number = new Greeter().length;',
        '```',
        '```sh',
        'not typescript',
        '```',
      ].join('\n');

      expect(exampleFaults(document)).toEqual([
        `line 11: Type 'string' is not assignable to type 'number'.`,
      ]);
    },
    COMPILING_MS,
  );
});

describe('the checks of links, scripts and tables', () => {
  const document = [
    '# One `deadline`, everywhere!',
    '[a](LICENSE) [b](#one-deadline-everywhere) [c](./gone.md "title") ![d](https://a.example/x.png)',
    '```sh',
    'npm test && npm run gone && npm start && npm install  # [e](also-gone)',
    '```',
    '| option | variable |',
    '| --- | --- |',
    '| `handler` | none |',
    '| `job` | `JOB` |',
    '',
    '| other | table |',
  ].join('\n');

  it('see where links lead', () => {
    expect(linkTargets(document).filter((target) => !isThere(target, document))).toEqual([
      './gone.md',
    ]);
    expect(isThere('#nowhere', document)).toBe(false);
  });

  it('see the scripts', () => {
    expect(npmScripts(document)).toEqual(['test', 'gone', 'start']);
  });

  it('read one table', () => {
    expect(tableOf(document, ['option', 'variable'])).toEqual([
      { option: 'handler', variable: 'none' },
      { option: 'job', variable: 'JOB' },
    ]);
    expect(tableOf(document, ['option'])).toEqual([]);
  });
});

function isThere(target: string, document: string): boolean {
  if (/^[a-z]+:/.test(target)) return true;
  const [path = '', anchor] = target.split('#');
  if (path === '') return headingAnchors(document).includes(anchor ?? '');
  return existsSync(join(repositoryRoot, path));
}
