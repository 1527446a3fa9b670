import ts from 'typescript';

const DEFINES_METADATA = /^(Reflect\.(defineMetadata|metadata)|SetMetadata)$/;

export interface Import {
  readonly specifier: string;
  readonly typeOnly: boolean;
  /** An `import()`, which runs only when it is reached. */
  readonly lazy?: boolean;
}

export function importOf(node: ts.Node): Import | undefined {
  if (ts.isImportDeclaration(node)) {
    return importFrom(
      node.moduleSpecifier,
      node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword,
    );
  }
  if (ts.isExportDeclaration(node)) return importFrom(node.moduleSpecifier, node.isTypeOnly);
  if (ts.isImportTypeNode(node)) {
    return importFrom(
      ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined,
      true,
    );
  }
  const loader = ts.isCallExpression(node) ? node.expression.getText() : '';
  if (!ts.isCallExpression(node) || !/^(import|require)$/.test(loader)) return undefined;
  const loaded = importFrom(node.arguments[0], false);
  return loaded && { ...loaded, lazy: loader === 'import' };
}

function importFrom(node: ts.Node | undefined, typeOnly: boolean): Import | undefined {
  return node && ts.isStringLiteralLike(node) ? { specifier: node.text, typeOnly } : undefined;
}

export function isDefaultExport(node: ts.Node): boolean {
  if (ts.isExportAssignment(node)) return true;
  if (ts.isExportSpecifier(node)) return node.name.text === 'default';
  return node.kind === ts.SyntaxKind.DefaultKeyword;
}

export function isNamedExport(node: ts.ExportDeclaration): boolean {
  return node.exportClause !== undefined && ts.isNamedExports(node.exportClause);
}

export function readsEnvironment(node: ts.Node): boolean {
  if (ts.isPropertyAccessExpression(node)) return node.getText() === 'process.env';
  if (ts.isVariableDeclaration(node)) return node.initializer?.getText() === 'process';
  return /^(node:)?process$/.test(importOf(node)?.specifier ?? '');
}

/**
 * The key of ours that a call defines. Other packages' keys are imported from them, and copying their
 * metadata has the key in a plain variable: neither defines a new one.
 */
export function definedMetadataKey(node: ts.Node): string | undefined {
  if (!ts.isCallExpression(node) || !DEFINES_METADATA.test(node.expression.getText()))
    return undefined;
  const key = node.arguments[0]?.getText() ?? '';
  const borrowed = /^[a-z]\w*$/.test(key) || isImportedFromPackage(key, node.getSourceFile());
  return borrowed ? undefined : key;
}

function isImportedFromPackage(name: string, { statements }: ts.SourceFile): boolean {
  return statements.filter(ts.isImportDeclaration).some(({ importClause, moduleSpecifier }) => {
    const names = importClause?.namedBindings;
    if (!names || !ts.isNamedImports(names)) return false;
    const named = names.elements.some((element) => element.name.text === name);
    return named && !/^['"]\./.test(moduleSpecifier.getText());
  });
}

export function packageName(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}
