/** A mask that cannot be read or combined: expected, got, next step, in one line. */
export class MaskError extends Error {
  override readonly name = "MaskError";
}
