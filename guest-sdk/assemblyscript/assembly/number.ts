/** Numbers as people write them, for messages. */

/** A float in the fewest digits that read back as the same one; a whole one without a point: `-1`, not `-1.0`. */
export function show(value: f64): string {
  const text = value.toString();
  return text.endsWith(".0") ? text.substring(0, text.length - 2) : text;
}
