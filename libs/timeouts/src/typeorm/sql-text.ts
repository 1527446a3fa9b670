/** What a statement does to the transaction, or to data. */
export type StatementKind = 'start' | 'commit' | 'rollback' | 'data' | 'other';

const FIRST_WORD = /^(?:\s|--[^\n]*\n|\/\*(?:[^*]|\*(?!\/))*\*\/)*([a-z]+)/i;

const KINDS: Readonly<Record<string, StatementKind>> = {
  start: 'start',
  begin: 'start',
  commit: 'commit',
  end: 'commit',
  prepare: 'commit',
  rollback: 'rollback',
  abort: 'rollback',
  select: 'data',
  insert: 'data',
  update: 'data',
  delete: 'data',
  merge: 'data',
  with: 'data',
  values: 'data',
  table: 'data',
};

const PREPARES_STATEMENT = /^\s*prepare\s+(?!transaction\b)/i;

/** The usual spellings at the very start of a text, told apart without a regular expression. */
const USUAL = new Map(
  Object.entries(KINDS)
    .filter(([word]) => word !== 'prepare')
    .flatMap(([word, kind]) => [word, word.toUpperCase()].map((key) => [key, kind] as const)),
);

/** Judges by the first word; what it does not know is `other`. */
export function statementKind(text: string | undefined): StatementKind {
  if (typeof text !== 'string') return 'other';
  return USUAL.get(text.slice(0, lettersOf(text))) ?? kindOf(text);
}

/** How many letters the text begins with. */
function lettersOf(text: string): number {
  let at = 0;
  // A letter's code with this bit set is that of the small one.
  for (let code; (code = text.charCodeAt(at) | 0x20) >= 97 && code <= 122;) at++;
  return at;
}

function kindOf(text: string): StatementKind {
  const word = FIRST_WORD.exec(text)?.[1]!.toLowerCase();
  const kind = word !== undefined && Object.hasOwn(KINDS, word) ? KINDS[word] : undefined;
  if (kind === undefined || (word === 'prepare' && PREPARES_STATEMENT.test(text))) return 'other';
  return kind;
}

/** Whether nothing follows the first statement. A `;` in a string counts too, to be safe. */
export function isSingleStatement(text: string): boolean {
  const end = text.indexOf(';');
  return end < 0 || text.slice(end + 1).trim() === '';
}
