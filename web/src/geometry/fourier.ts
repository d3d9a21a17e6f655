// The discrete Fourier transform of any length: powers of two directly, others by Bluestein's chirp. Smoothing a closed
// outline is a product in it, exact whatever the number of vertices, which no truncated kernel is.

/** Transform complex values in place; `sign` -1 is forward, 1 is inverse without the division by the length. */
export const transform = (re: Float64Array, im: Float64Array, sign: 1 | -1): void => {
  const length = re.length;
  if (length < 2) return;
  if ((length & (length - 1)) === 0) radix2(re, im, sign);
  else bluestein(re, im, sign);
};

const radix2 = (re: Float64Array, im: Float64Array, sign: 1 | -1): void => {
  const length = re.length;
  for (let i = 1, j = 0; i < length; i += 1) {
    let bit = length >> 1;
    for (; (j & bit) !== 0; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [re[i], re[j]] = [re[j]!, re[i]!];
      [im[i], im[j]] = [im[j]!, im[i]!];
    }
  }
  for (let span = 2; span <= length; span *= 2) {
    const half = span / 2;
    for (let k = 0; k < half; k += 1) {
      const angle = (sign * 2 * Math.PI * k) / span;
      const [c, s] = [Math.cos(angle), Math.sin(angle)];
      for (let a = k; a < length; a += span) {
        const b = a + half;
        const x = re[b]! * c - im[b]! * s;
        const y = re[b]! * s + im[b]! * c;
        re[b] = re[a]! - x;
        im[b] = im[a]! - y;
        re[a] = re[a]! + x;
        im[a] = im[a]! + y;
      }
    }
  }
};

const bluestein = (re: Float64Array, im: Float64Array, sign: 1 | -1): void => {
  const length = re.length;
  const padded = 2 ** Math.ceil(Math.log2(2 * length - 1));
  const [ar, ai, br, bi] = Array.from({ length: 4 }, () => new Float64Array(padded)) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const chirp = (i: number): readonly [number, number] => {
    const angle = (sign * Math.PI * ((i * i) % (2 * length))) / length; // the square, kept small for its cosine
    return [Math.cos(angle), Math.sin(angle)];
  };
  for (let i = 0; i < length; i += 1) {
    const [c, s] = chirp(i);
    ar[i] = re[i]! * c - im[i]! * s;
    ai[i] = re[i]! * s + im[i]! * c;
    br[i] = c;
    bi[i] = -s;
    if (i > 0) [br[padded - i], bi[padded - i]] = [c, -s];
  }
  radix2(ar, ai, -1);
  radix2(br, bi, -1);
  for (let i = 0; i < padded; i += 1) {
    const x = ar[i]! * br[i]! - ai[i]! * bi[i]!;
    ai[i] = ar[i]! * bi[i]! + ai[i]! * br[i]!;
    ar[i] = x;
  }
  radix2(ar, ai, 1);
  for (let i = 0; i < length; i += 1) {
    const [c, s] = chirp(i);
    const [x, y] = [ar[i]! / padded, ai[i]! / padded];
    re[i] = x * c - y * s;
    im[i] = x * s + y * c;
  }
};
