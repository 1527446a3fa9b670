import { posix } from 'node:path';
import { isBuiltin } from 'node:module';
import ts from 'typescript';
import type { SourceFile } from './repository.js';
import {
  definedMetadataKey,
  type Import,
  importOf,
  isDefaultExport,
  isNamedExport,
  packageName,
  readsEnvironment,
} from './syntax.js';

interface Folder {
  readonly layer: number;
  /** Packages it may import besides Node's own; `type x` is for `import type` only, `lazy x` for `import()`. */
  readonly packages: readonly string[];
}

const nest = ['@nestjs/common', '@nestjs/core', 'reflect-metadata', 'ms'];

export const FOLDERS: Readonly<Record<string, Folder>> = {
  core: { layer: 0, packages: ['ms'] },
  policy: { layer: 1, packages: ['ms', 'reflect-metadata', 'type @nestjs/common'] },
  inbound: {
    layer: 2,
    packages: [...nest, 'rxjs', 'lazy @nestjs/microservices', 'lazy @nestjs/websockets'],
  },
  outbound: { layer: 2, packages: nest },
  jobs: { layer: 2, packages: nest },
  shutdown: { layer: 2, packages: nest },
  typeorm: { layer: 3, packages: [...nest, 'typeorm', '@nestjs/typeorm', 'pg'] },
  terminus: { layer: 3, packages: [...nest, '@nestjs/terminus'] },
  bullmq: { layer: 3, packages: [...nest, 'bullmq', '@nestjs/bullmq'] },
  webhooks: { layer: 3, packages: [...nest, 'typeorm', '@nestjs/typeorm'] },
  metrics: { layer: 3, packages: [...nest, '@opentelemetry/api'] },
  check: { layer: 3, packages: ['yaml'] },
  testing: { layer: 3, packages: [...nest, '@nestjs/testing'] },
};

/** The files at the top see layers 0 to 2. */
export const TOP_FILES: readonly string[] = ['index.ts', 'integrations.ts', 'timeouts.module.ts'];
/** The one that may load layer 3 as well, by `import()` and so only in applications that need it. */
export const LAZY_FILE = 'integrations.ts';
export const RXJS_FILES: readonly string[] = [
  'inbound/bind-scope.ts',
  'inbound/deadline.interceptor.ts',
  'inbound/handler-result.ts',
  'inbound/message-answer.ts',
  'inbound/message.interceptor.ts',
  'inbound/until-cancelled.ts',
];
export const ENVIRONMENT_FILE = 'policy/env.ts';
export const METADATA_KEY = 'TIMEOUTS_METADATA';
export const MAX_LINES = 250;

const NAMELESS = /^(utils?|helpers?|commons?|constants?|types?)$/;
const TOP: Folder = { layer: 3, packages: nest };

/** What is wrong with the library's sources, as `path:line what`. Empty when nothing is. */
export function architectureFaults(sources: readonly SourceFile[]): string[] {
  const files = sources.map(parse);
  return [
    ...files.flatMap(importFaults),
    ...files.flatMap(shapeFaults),
    ...files.flatMap(nameFaults),
    ...files.flatMap(lengthFaults),
    ...onceFaults(files),
  ];
}

interface ParsedFile {
  readonly path: string;
  readonly text: string;
  readonly nodes: readonly ts.Node[];
  fault(node: ts.Node, message: string): string;
}

function parse({ path, text }: SourceFile): ParsedFile {
  const root = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const nodes: ts.Node[] = [];
  const visit = (node: ts.Node): void => {
    nodes.push(node);
    ts.forEachChild(node, visit);
  };
  visit(root);
  const fault = (node: ts.Node, message: string): string =>
    `${path}:${root.getLineAndCharacterOfPosition(node.getStart()).line + 1} ${message}`;
  return { path, text, nodes, fault };
}

function importFaults(file: ParsedFile): string[] {
  const folder = folderOf(file.path);
  if (!folder) return [`${file.path}:1 is in no known folder`];
  return file.nodes.flatMap((node) => {
    const imported = importOf(node);
    if (!imported) return [];
    const message = imported.specifier.startsWith('.')
      ? relativeImportFault(file.path, imported)
      : packageImportFault(file.path, folder, imported);
    return message ? [file.fault(node, message)] : [];
  });
}

function relativeImportFault(path: string, imported: Import): string | undefined {
  const { specifier, lazy } = imported;
  const target = posix.join(posix.dirname(path), specifier).replace(/\.js$/, '.ts');
  const [from, to] = [folderOf(path), folderOf(target)];
  if (!from || !to) return `imports ${target}, which is in no known folder`;
  if (topFolder(path) === topFolder(target)) return undefined;
  if (to.layer < from.layer || (lazy && path === LAZY_FILE)) return undefined;
  return `imports ${to.layer === from.layer ? 'sideways' : 'up'}: ${target}`;
}

function packageImportFault(path: string, folder: Folder, imported: Import): string | undefined {
  if (isBuiltin(imported.specifier)) return undefined;
  const name = packageName(imported.specifier);
  if (name === 'rxjs' && folder.packages.includes('rxjs') && !RXJS_FILES.includes(path)) {
    return 'imports rxjs outside RXJS_FILES';
  }
  if (folder.packages.includes(name)) return undefined;
  if (imported.lazy && folder.packages.includes(`lazy ${name}`)) return undefined;
  if (!folder.packages.includes(`type ${name}`)) return `imports ${name}`;
  return imported.typeOnly ? undefined : `imports ${name} at run time`;
}

function shapeFaults(file: ParsedFile): string[] {
  return file.nodes.flatMap((node) => {
    const message = shapeFault(node, file.path);
    return message ? [file.fault(node, message)] : [];
  });
}

function shapeFault(node: ts.Node, path: string): string | undefined {
  if (isDefaultExport(node)) return 'has a default export';
  if (ts.isExportDeclaration(node) && !isNamedExport(node)) return 'has an export *';
  if (ts.isEnumDeclaration(node)) return `declares the enum ${node.name.text}`;
  if (ts.isInterfaceDeclaration(node) && /^I[A-Z]/.test(node.name.text)) {
    return `prefixes the interface ${node.name.text}`;
  }
  if (ts.isPropertyAccessExpression(node) && /^AbortSignal\.(any|timeout)$/.test(node.getText())) {
    return `uses ${node.getText()}`;
  }
  if (readsEnvironment(node) && path !== ENVIRONMENT_FILE) return 'reads process.env';
  const key = definedMetadataKey(node);
  return key && key !== METADATA_KEY ? `defines the metadata key ${key}` : undefined;
}

function nameFaults({ path }: ParsedFile): string[] {
  const nameless = path
    .replace(/\.ts$/, '')
    .split('/')
    .filter((name) => NAMELESS.test(name));
  return nameless.map((name) => `${path}:1 is named ${name}`);
}

function lengthFaults({ path, text }: ParsedFile): string[] {
  const lines = text.trimEnd().split('\n').length;
  return lines > MAX_LINES ? [`${path}:${MAX_LINES + 1} has ${lines} lines`] : [];
}

const ONCE: Readonly<Record<string, (node: ts.Node) => boolean>> = {
  'new AsyncLocalStorage': (node) =>
    ts.isNewExpression(node) && node.expression.getText() === 'AsyncLocalStorage',
  [METADATA_KEY]: (node) => ts.isVariableDeclaration(node) && node.name.getText() === METADATA_KEY,
};

function onceFaults(files: readonly ParsedFile[]): string[] {
  return Object.entries(ONCE).flatMap(([what, matches]) => {
    const found = files.flatMap((file) =>
      file.nodes.filter(matches).map((node) => file.fault(node, `has another ${what}`)),
    );
    return found.length === 0 ? [`${what} is nowhere`] : found.slice(1);
  });
}

function folderOf(path: string): Folder | undefined {
  return TOP_FILES.includes(path) ? TOP : FOLDERS[topFolder(path)];
}

function topFolder(path: string): string {
  return path.includes('/') ? path.slice(0, path.indexOf('/')) : '.';
}
