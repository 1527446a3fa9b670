export interface CodeBlock {
  readonly language: string;
  /** Of its first line of code, counted from 1. */
  readonly line: number;
  readonly lines: readonly string[];
}

export type Table = readonly Readonly<Record<string, string>>[];

export function codeBlocks(markdown: string): CodeBlock[] {
  const fence = /^(?<indent> *)```(?<language>\w+)[^\n]*\n(?<code>[\s\S]*?)^\k<indent>```\s*$/gm;
  return [...markdown.matchAll(fence)].map(({ index, groups }) => ({
    language: groups?.['language'] ?? '',
    line: lineOf(markdown, index) + 1,
    lines: (groups?.['code'] ?? '').split('\n').slice(0, -1),
  }));
}

/** The table whose header names these columns, as one record per row; code ticks are dropped. */
export function tableOf(markdown: string, columns: readonly string[]): Table {
  const rows = markdown.split('\n').map(cellsOf);
  const header = rows.findIndex((cells) => cells.join('|') === columns.join('|'));
  if (header < 0) return [];
  const body = rows.slice(header + 2);
  const end = body.findIndex((cells) => cells.length === 0);
  return body
    .slice(0, end < 0 ? body.length : end)
    .map((cells) => Object.fromEntries(columns.map((name, at) => [name, cells[at] ?? ''])));
}

export function linkTargets(markdown: string): string[] {
  const links = /\[[^\]]*\]\((?<target>[^)\s]+)[^)]*\)|(?:src|href)="(?<attribute>[^"]+)"/g;
  return [...withoutCode(markdown).matchAll(links)].map(
    ({ groups }) => groups?.['target'] ?? groups?.['attribute'] ?? '',
  );
}

/** The anchors that headings get on a forge. */
export function headingAnchors(markdown: string): string[] {
  const headings = withoutCode(markdown).matchAll(/^#{1,6} (?<title>.+)$/gm);
  return [...headings].map(({ groups }) =>
    (groups?.['title'] ?? '')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replaceAll(' ', '-'),
  );
}

export function npmScripts(markdown: string): string[] {
  const commands = markdown.matchAll(/\bnpm (?:run (?<script>[\w:-]+)|(?<short>test|start)\b)/g);
  return [...commands].map(({ groups }) => groups?.['script'] ?? groups?.['short'] ?? '');
}

function cellsOf(line: string): string[] {
  const row = /^\s*\|(?<cells>.*)\|\s*$/.exec(line)?.groups?.['cells'];
  return row?.split('|').map((cell) => cell.replaceAll('`', '').trim()) ?? [];
}

function withoutCode(markdown: string): string {
  return markdown.replaceAll(/^ *```[\s\S]*?^ *```\s*$/gm, '');
}

function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}
