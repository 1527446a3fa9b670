import { join } from 'node:path';
import ts from 'typescript';
import { codeBlocks, type CodeBlock } from './markdown.js';
import { repositoryRoot } from './repository.js';

const folder = `${repositoryRoot.replaceAll('\\', '/')}/examples`;

/**
 * What the type checker says about the ```ts blocks of a document, with the document's lines.
 * A block that starts with a comment naming its file (`// orders.service.ts`) can be imported by the others.
 */
export function exampleFaults(markdown: string): string[] {
  const examples = new Map<string, string>();
  for (const block of codeBlocks(markdown).filter(({ language }) => language === 'ts')) {
    const file = namedFile(block);
    examples.set(
      file && !examples.has(file) ? file : `${folder}/line-${block.line}.ts`,
      inPlace(block),
    );
  }
  const program = ts.createProgram([...examples.keys()], options(), hostWith(examples));
  return ts.getPreEmitDiagnostics(program).map(describe);
}

function namedFile({ lines }: CodeBlock): string | undefined {
  const name = /^\/\/ (?:\S+\/)?(?<file>[\w.-]+\.ts)\b/.exec(lines[0] ?? '')?.groups?.['file'];
  return name && `${folder}/${name}`;
}

/** Kept on its own lines of the document, so that positions need no translation. */
function inPlace({ line, lines }: CodeBlock): string {
  return '\n'.repeat(line - 1) + lines.join('\n');
}

function options(): ts.CompilerOptions {
  const path = join(repositoryRoot, 'tsconfig.spec.json');
  const { config } = ts.readConfigFile(path, ts.sys.readFile);
  const parsed = ts.parseJsonConfigFileContent(config, ts.sys, repositoryRoot, {}, path);
  return { ...parsed.options, moduleDetection: ts.ModuleDetectionKind.Force };
}

function hostWith(examples: ReadonlyMap<string, string>): ts.CompilerHost {
  const host = ts.createCompilerHost({});
  return {
    ...host,
    fileExists: (path) => examples.has(path) || host.fileExists(path),
    readFile: (path) => examples.get(path) ?? host.readFile(path),
    directoryExists: (path) => path === folder || ts.sys.directoryExists(path),
    getSourceFile: (path, target, onError) => {
      const text = examples.get(path);
      return text === undefined
        ? host.getSourceFile(path, target, onError)
        : ts.createSourceFile(path, text, target);
    },
  };
}

function describe({ file, start, messageText }: ts.Diagnostic): string {
  const message = ts.flattenDiagnosticMessageText(messageText, ' ');
  if (!file) return message;
  const line = file.getLineAndCharacterOfPosition(start ?? 0).line + 1;
  return file.fileName.startsWith(folder)
    ? `line ${line}: ${message}`
    : `${file.fileName}:${line} ${message}`;
}
