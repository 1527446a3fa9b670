import ts from 'typescript';

/** The names an entry file exports for the type checker only, sorted. */
export function exportedTypeNames(text: string): string[] {
  const { statements } = ts.createSourceFile('index.ts', text, ts.ScriptTarget.Latest);
  return statements.flatMap(typeNamesOf).toSorted();
}

function typeNamesOf(statement: ts.Statement): string[] {
  if (ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement)) {
    const exported = statement.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
    return exported ? [statement.name.text] : [];
  }
  const clause = ts.isExportDeclaration(statement) ? statement : undefined;
  if (!clause?.exportClause || !ts.isNamedExports(clause.exportClause)) return [];
  return clause.exportClause.elements
    .filter((element) => clause.isTypeOnly || element.isTypeOnly)
    .map((element) => element.name.text);
}
