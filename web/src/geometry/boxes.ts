// Boxes in image pixels, with exclusive right and bottom edges. A box without area is empty; all empty boxes are equal.

import type { BoxXyxy, ImagePoint, SizeHw } from "./coords";

export const EMPTY_BOX: BoxXyxy = [0, 0, 0, 0];

export const boxWidth = (box: BoxXyxy): number => Math.max(0, box[2] - box[0]);
export const boxHeight = (box: BoxXyxy): number => Math.max(0, box[3] - box[1]);
export const boxArea = (box: BoxXyxy): number => boxWidth(box) * boxHeight(box);
export const isEmptyBox = (box: BoxXyxy): boolean => box[2] <= box[0] || box[3] <= box[1];

export const isSameBox = (box: BoxXyxy, other: BoxXyxy): boolean =>
  (isEmptyBox(box) && isEmptyBox(other)) || box.every((side, i) => side === other[i]);

/** The box of the whole image. */
export const imageBox = ([height, width]: SizeHw): BoxXyxy => [0, 0, width, height];

/** The box between two corners, whichever way it was drawn. */
export const boxBetween = (corner: ImagePoint, opposite: ImagePoint): BoxXyxy => [
  Math.min(corner.x, opposite.x),
  Math.min(corner.y, opposite.y),
  Math.max(corner.x, opposite.x),
  Math.max(corner.y, opposite.y),
];

/** The smallest box around points; it has no area around one point. */
export const boxAround = (points: Iterable<ImagePoint>): BoxXyxy => {
  let [x1, y1, x2, y2] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const { x, y } of points) {
    x1 = Math.min(x1, x);
    y1 = Math.min(y1, y);
    x2 = Math.max(x2, x);
    y2 = Math.max(y2, y);
  }
  return x1 <= x2 ? [x1, y1, x2, y2] : EMPTY_BOX;
};

/** The whole pixels that a box touches. */
export const pixelBox = (box: BoxXyxy): BoxXyxy => [
  Math.floor(box[0]),
  Math.floor(box[1]),
  Math.ceil(box[2]),
  Math.ceil(box[3]),
];

export const intersectBoxes = (box: BoxXyxy, other: BoxXyxy): BoxXyxy => {
  const x1 = Math.max(box[0], other[0]);
  const y1 = Math.max(box[1], other[1]);
  const x2 = Math.min(box[2], other[2]);
  const y2 = Math.min(box[3], other[3]);
  return x1 < x2 && y1 < y2 ? [x1, y1, x2, y2] : EMPTY_BOX;
};

/** The smallest box around both; an empty box adds nothing. */
export const uniteBoxes = (box: BoxXyxy, other: BoxXyxy): BoxXyxy => {
  if (isEmptyBox(box)) return isEmptyBox(other) ? EMPTY_BOX : other;
  if (isEmptyBox(other)) return box;
  return [
    Math.min(box[0], other[0]),
    Math.min(box[1], other[1]),
    Math.max(box[2], other[2]),
    Math.max(box[3], other[3]),
  ];
};

/** Cut off what lies outside the image. */
export const clipBox = (box: BoxXyxy, sizeHw: SizeHw): BoxXyxy => intersectBoxes(box, imageBox(sizeHw));

/** Push every side outwards by a margin, or inwards by a negative one. */
export const growBox = (box: BoxXyxy, margin: number): BoxXyxy => {
  const grown: BoxXyxy = [box[0] - margin, box[1] - margin, box[2] + margin, box[3] + margin];
  return isEmptyBox(box) || isEmptyBox(grown) ? EMPTY_BOX : grown;
};

export const translateBox = (box: BoxXyxy, dx: number, dy: number): BoxXyxy =>
  isEmptyBox(box) ? EMPTY_BOX : [box[0] + dx, box[1] + dy, box[2] + dx, box[3] + dy];

export const isInBox = (box: BoxXyxy, { x, y }: ImagePoint): boolean =>
  x >= box[0] && x < box[2] && y >= box[1] && y < box[3];

export const boxesMeet = (box: BoxXyxy, other: BoxXyxy): boolean => !isEmptyBox(intersectBoxes(box, other));

/** Intersection over union; 0 where neither has an area, as in Python. */
export const boxIou = (box: BoxXyxy, other: BoxXyxy): number => {
  const shared = boxArea(intersectBoxes(box, other));
  const joined = boxArea(box) + boxArea(other) - shared;
  return joined > 0 ? shared / joined : 0;
};
