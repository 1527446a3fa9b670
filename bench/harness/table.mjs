/** The value below which a share `q` of the sorted values lies. */
export function quantile(values, q) {
  const sorted = values.toSorted((a, b) => a - b);
  const position = (sorted.length - 1) * q;
  const low = sorted[Math.floor(position)];
  return low + (sorted[Math.ceil(position)] - low) * (position % 1);
}

export const median = (values) => quantile(values, 0.5);

/** Rows as aligned text: the first column to the left, numbers to the right. */
export function table(headings, rows) {
  const lines = [headings, ...rows].map((row) => row.map(String));
  const widths = headings.map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  const align = (line) =>
    line.map((cell, i) => (i ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))).join('  ');
  return [align(lines[0]), widths.map((width) => '-'.repeat(width)).join('  ')]
    .concat(lines.slice(1).map(align))
    .join('\n');
}
