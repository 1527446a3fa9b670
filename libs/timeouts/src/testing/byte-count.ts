/** @throws RangeError for what is no number of bytes, or below `least`. */
export function byteCount(bytes: number, least: number): number {
  if (Number.isInteger(bytes) && bytes >= least) return bytes;
  throw new RangeError(`bytes is ${bytes}; allowed: a whole number, ${least} or more`);
}
