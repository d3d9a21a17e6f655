import { expect, test } from "vitest";
import { eachSeed } from "../masks/testing";
import { transform } from "./fourier";

test("the transform of any length is the sum that defines it", () => {
  eachSeed(40, (random) => {
    const length = 1 + random.below(40);
    const [re, im] = [0, 1].map(() => Float64Array.from({ length }, () => random.unit() - 0.5)) as [
      Float64Array,
      Float64Array,
    ];
    const [outRe, outIm] = [re.slice(), im.slice()];

    transform(outRe, outIm, -1);

    for (let k = 0; k < length; k += 1) {
      let [sumRe, sumIm] = [0, 0];
      for (let i = 0; i < length; i += 1) {
        const angle = (-2 * Math.PI * ((i * k) % length)) / length;
        sumRe += re[i]! * Math.cos(angle) - im[i]! * Math.sin(angle);
        sumIm += re[i]! * Math.sin(angle) + im[i]! * Math.cos(angle);
      }
      expect(outRe[k]).toBeCloseTo(sumRe, 10);
      expect(outIm[k]).toBeCloseTo(sumIm, 10);
    }
  });
});

test("there and back is the signal times its length", () => {
  for (const length of [1, 2, 7, 64, 1000]) {
    const re = Float64Array.from({ length }, (_, i) => Math.sin(i * i));
    const im = new Float64Array(length);
    const before = re.slice();

    transform(re, im, -1);
    transform(re, im, 1);

    re.forEach((value, i) => expect(value / length).toBeCloseTo(before[i]!, 9));
  }
});
