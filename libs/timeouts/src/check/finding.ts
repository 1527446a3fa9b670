/** Two limits that do not fit together, and where to mend it. */
export interface Finding {
  readonly file: string;
  readonly line: number;
  readonly message: string;
  readonly fix: string;
}

/** As compilers print theirs, so that editors and CI find the place. */
export function showFinding({ file, line, message, fix }: Finding): string {
  return `${file}:${line} ${message}\n  fix: ${fix}`;
}
