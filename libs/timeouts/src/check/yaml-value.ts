import type { LineCounter, ParsedNode } from 'yaml';
import { isMap, isScalar, isSeq } from 'yaml';

/** A place in a manifest: what stands there, if anything does, and on which line. */
export class YamlValue {
  constructor(
    readonly file: string,
    readonly lines: LineCounter,
    readonly node: ParsedNode | null | undefined,
    /** Where a value that is not there would stand. */
    readonly parentLine: number,
  ) {}

  get isThere(): boolean {
    return this.node !== null && this.node !== undefined;
  }

  get line(): number {
    return this.node?.range ? this.lines.linePos(this.node.range[0]).line : this.parentLine;
  }

  get(...path: string[]): YamlValue {
    const [key, ...rest] = path;
    if (key === undefined) return this;
    const node = isMap(this.node) ? (this.node.get(key, true) as ParsedNode | undefined) : null;
    return new YamlValue(this.file, this.lines, node, this.line).get(...rest);
  }

  get items(): YamlValue[] {
    if (!isSeq(this.node)) return [];
    return this.node.items.map((item) => this.#at(item as ParsedNode));
  }

  get entries(): [key: string, value: YamlValue][] {
    if (!isMap(this.node)) return [];
    return this.node.items.map((pair) => [
      String(isScalar(pair.key) ? pair.key.value : pair.key),
      this.#at(pair.value as ParsedNode),
    ]);
  }

  get text(): string | undefined {
    return isScalar(this.node) && this.node.value !== null ? String(this.node.value) : undefined;
  }

  get number(): number | undefined {
    const { text } = this;
    return text === undefined || !Number.isFinite(Number(text)) ? undefined : Number(text);
  }

  #at(node: ParsedNode | null): YamlValue {
    return new YamlValue(this.file, this.lines, node, this.line);
  }
}
