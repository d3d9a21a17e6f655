// Exact Euclidean distances in a bitmap (Meijster, Roerdink and Hesselink, 2000): first along the columns, by two
// scans, then along the rows, as the lower envelope of parabolas. And the signed distance to a mask's outline.

/** The squared distance of every pixel's centre to that of the nearest pixel of `value`; Infinity if there is none. */
export const squaredDistances = (bits: Uint8Array, width: number, height: number, value: 0 | 1): Float64Array => {
  const squared = columnDistances(bits, width, height, value);
  for (let i = 0; i < squared.length; i += 1) squared[i] = squared[i]! * squared[i]!;
  const scratch = makeScratch(width);
  for (let y = 0; y < height; y += 1) envelope(squared, y * width, width, scratch);
  return squared;
};

/** Positive inside the mask, negative outside, about 0 on the outline; half a pixel at the pixels beside it. */
export const signedDistances = (bits: Uint8Array, width: number, height: number): Float64Array => {
  const signed = squaredDistances(bits, width, height, 0);
  const outside = squaredDistances(bits, width, height, 1);
  for (let i = 0; i < signed.length; i += 1) {
    signed[i] = bits[i] === 1 ? Math.sqrt(signed[i]!) - 0.5 : 0.5 - Math.sqrt(outside[i]!);
  }
  return signed;
};

/** The distance to the nearest pixel of `value` in the same column, by a scan down and a scan up. */
const columnDistances = (bits: Uint8Array, width: number, height: number, value: 0 | 1): Float64Array => {
  const away = new Float64Array(width * height);
  for (let i = 0; i < away.length; i += 1) {
    away[i] = bits[i] === value ? 0 : i < width ? Infinity : away[i - width]! + 1;
  }
  for (let i = away.length - width - 1; i >= 0; i -= 1) {
    const below = away[i + width]! + 1;
    if (below < away[i]!) away[i] = below;
  }
  return away;
};

type Scratch = { readonly values: Float64Array; readonly apex: Int32Array; readonly from: Float64Array };

const makeScratch = (length: number): Scratch => ({
  values: new Float64Array(length),
  apex: new Int32Array(length),
  from: new Float64Array(length + 1),
});

/** Replace the values of one row with the lower envelope of the parabolas that stand on them. */
const envelope = (squared: Float64Array, start: number, length: number, { values, apex, from }: Scratch): void => {
  let top = -1;
  for (let q = 0; q < length; q += 1) {
    const value = squared[start + q]!;
    values[q] = value;
    if (value === Infinity) continue;
    let meets = -Infinity;
    while (top >= 0) {
      const p = apex[top]!;
      meets = (value + q * q - values[p]! - p * p) / (2 * (q - p));
      if (meets > from[top]!) break;
      top -= 1;
      meets = -Infinity;
    }
    top += 1;
    apex[top] = q;
    from[top] = meets;
  }
  if (top < 0) return;
  for (let q = 0, k = 0; q < length; q += 1) {
    while (k < top && from[k + 1]! < q) k += 1;
    const p = apex[k]!;
    squared[start + q] = (q - p) * (q - p) + values[p]!;
  }
};
