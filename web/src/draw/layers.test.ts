import { describe, expect, test } from "vitest";
import { imagePoint, screenPoint, type SizeHw } from "../geometry/coords";
import { boxPatch } from "../masks/algebra";
import { newDraft } from "../tools/draft";
import { stepTool } from "../tools/step";
import { newView, type View } from "../view/view";
import { IN_HAND, pixel, type Rgb } from "./colours";
import { boxOfColours, joined, MAX_OUTLINED, paletteOf, syncMap, type LabelLayer } from "./label_layer";
import { tilesIn } from "./picture";
import { partOf, rasterFrame, rasterise } from "./raster";
import { handOf, LOOK, type SceneMask } from "./scene";

const SIZE: SizeHw = [40, 60];
const RED: Rgb = [200, 0, 0];
const GREEN: Rgb = [0, 200, 0];

const mask = (id: string, x1: number, y1: number, x2: number, y2: number, more: Partial<SceneMask> = {}): SceneMask => ({
  id,
  patch: boxPatch(SIZE, [x1, y1, x2, y2]),
  fill: RED,
  outline: GREEN,
  isSelected: false,
  isInHand: false,
  ...more,
});

const layerOf = (masks: readonly SceneMask[], look = LOOK): LabelLayer => {
  const { layer } = syncMap(null, masks, SIZE);
  layer.palette = paletteOf(layer.map, masks, look);
  return layer;
};

/** The image on the screen at some whole scale, from its corner. */
const viewAt = (scale: number, pixelRatio = 1): View => ({ ...newView(SIZE, [40, 60], pixelRatio), scale, offset: screenPoint(0, 0) });

function drawn(layer: LabelLayer, view: View, coarseness = 1): { readonly at: (x: number, y: number) => number } {
  const frame = rasterFrame(view, layer.map.scale, coarseness);
  const pixels = new Uint32Array(frame.width * frame.height);
  rasterise(pixels, frame, layer.map, layer.palette);
  return { at: (x, y) => pixels[y * frame.width + x] ?? -1 };
}

const fill = pixel(RED, LOOK.opacity);

describe("the mask layer in pixels", () => {
  test("a mask is filled, its outline lies inside it, and nothing is around it", () => {
    const { at } = drawn(layerOf([mask("a", 10, 10, 30, 30)]), viewAt(1));

    expect(at(20, 20)).toBe(fill);
    expect(at(9, 20)).toBe(0);
    expect([at(10, 20), at(29, 20), at(20, 10), at(20, 29)].every((value) => value !== fill && value !== 0)).toBe(true);
  });

  test("the smaller of two masks lies on top, with its outline", () => {
    const { at } = drawn(layerOf([mask("small", 15, 15, 25, 25, { fill: GREEN }), mask("large", 5, 5, 35, 35)]), viewAt(1));

    expect(at(20, 20)).toBe(pixel(GREEN, LOOK.opacity));
    expect(at(8, 20)).toBe(fill);
  });

  test("the outline is as wide on the screen when pixels are large", () => {
    const { at } = drawn(layerOf([mask("a", 0, 0, 60, 40)]), viewAt(8));

    expect(at(0, 20)).not.toBe(fill);
    expect(at(3, 20)).toBe(fill);
  });

  test("without fills the inside is clear, without outlines the fill reaches the border", () => {
    const masks = [mask("a", 10, 10, 30, 30)];
    const outlined = drawn(layerOf(masks, { ...LOOK, isFilled: false }), viewAt(1));
    const filled = drawn(layerOf(masks, { ...LOOK, isOutlined: false }), viewAt(1));

    expect([outlined.at(20, 20), outlined.at(10, 20) === 0]).toEqual([0, false]);
    expect(filled.at(10, 20)).toBe(fill);
  });

  test("a moved view moves the masks, and a coarse frame shows them at half the pixels", () => {
    const layer = layerOf([mask("a", 10, 10, 30, 30)]);
    const moved = { ...viewAt(1), offset: screenPoint(5, 3) };

    expect(drawn(layer, moved).at(25, 23)).toBe(fill);
    expect(drawn(layer, moved).at(14, 20)).toBe(0);
    expect(drawn(layer, viewAt(1), 2).at(10, 10)).toBe(fill);
  });

  test("device pixels count on a dense screen", () => {
    const { at } = drawn(layerOf([mask("a", 10, 10, 30, 30)]), viewAt(1, 2));

    expect(at(40, 40)).toBe(fill);
    expect(at(19, 40)).toBe(0);
  });
});

describe("bringing the map up to a scene", () => {
  const many = Array.from({ length: 40 }, (_, i) => mask(`m${i}`, i, 0, i + 3, 4));

  test("a scene with the same masks changes nothing", () => {
    const layer = layerOf(many);

    expect(syncMap(layer, [...many], SIZE)).toEqual({ layer, box: [0, 0, 0, 0] });
  });

  test("one mask that changed costs its own box", () => {
    const layer = layerOf(many);
    const next = [...many.slice(1), mask("m0", 0, 30, 5, 35)];

    const change = syncMap(layer, next, SIZE);

    expect(change.layer).toBe(layer);
    expect(change.box).toEqual([0, 0, 5, 35]);
  });

  test("another frame's masks make another map", () => {
    const layer = layerOf(many);
    const others = many.map((one) => ({ ...one, id: `other ${one.id}` }));

    expect(syncMap(layer, others, SIZE).layer).not.toBe(layer);
  });

  test("the mask in hand is not on the map", () => {
    const layer = layerOf([mask("a", 10, 10, 30, 30, { isInHand: true })]);

    expect(layer.map.slotOf.has("a")).toBe(false);
  });

  test("selected masks are told by the palette only when they are many", () => {
    const all = many.map((one) => ({ ...one, isSelected: true }));
    const white = pixel([255, 255, 255], 1);
    expect(all.length).toBeGreaterThan(MAX_OUTLINED);

    expect(layerOf(all).palette.outline[1]).toBe(white);
    expect(layerOf(all.slice(0, 3)).palette.outline[1]).not.toBe(white);
  });

  test("with a mask in hand the others step back", () => {
    const layer = layerOf(many);
    const alpha = (palette: { readonly fill: Uint32Array }): number => (palette.fill[1] ?? 0) >>> 24;

    expect(alpha(paletteOf(layer.map, many, LOOK, true))).toBeLessThan(alpha(layer.palette));
  });
});

describe("scene", () => {
  test("a draft shows its stroke, its points and its vertices only while they can be edited", () => {
    const click = stepTool("click", newDraft(SIZE, boxPatch(SIZE, [0, 0, 9, 9])), { kind: "click", at: imagePoint(3, 3), positive: false, isQueued: true }).draft;
    const { draft } = stepTool("brush", click, { kind: "stroke", phase: "start", at: imagePoint(20, 20), radius: 3, isErasing: true });

    const hand = handOf({ ...draft, work: { ...draft.work, rings: [new Float64Array(8)] } }, IN_HAND, false);

    expect(hand.stroke?.isErasing).toBe(true);
    expect(hand.points).toEqual([{ at: imagePoint(3, 3), positive: false }]);
    expect(hand.isPending).toBe(true);
    expect(hand.rings).toEqual([]);
  });

  test("the tiles of a box are those it meets", () => {
    expect(tilesIn([1000, 0, 2049, 10], 1024)).toEqual([[0, 0], [1, 0], [2, 0]]);
    expect(tilesIn([1024, 1024, 1030, 1030], 1024)).toEqual([[1, 1]]);
  });
});

test("painting only where masks changed gives what painting everything does, at any zoom", () => {
  let seed = 5;
  const random = (most: number): number => (seed = (seed * 48271) % 2147483647) % most;
  const masks = Array.from({ length: 12 }, (_, i) => {
    const [x, y] = [random(50), random(30)];
    return mask(`m${i}`, x, y, x + 1 + random(10), y + 1 + random(10));
  });
  const { layer } = syncMap(null, masks, SIZE);
  layer.palette = paletteOf(layer.map, masks, LOOK);
  for (let step = 0; step < 60; step++) {
    const view: View = { ...viewAt([0.4, 1, 2.7][step % 3] ?? 1, 1 + (step % 2)), offset: screenPoint(random(20) - 10.3, random(20) - 9.6) };
    const frame = rasterFrame(view, layer.map.scale, 1);
    const pixels = new Uint32Array(frame.width * frame.height);
    rasterise(pixels, frame, layer.map, layer.palette);
    const changed = random(masks.length);
    const next = masks.map((one, i) => (i !== changed ? one : { ...one, isSelected: !one.isSelected, patch: step % 4 === 0 ? boxPatch(SIZE, [random(50), random(30), 52, 33]) : one.patch }));

    const sync = syncMap(layer, next, SIZE);
    const before = layer.palette;
    layer.palette = paletteOf(layer.map, next, LOOK);
    const stale = joined(sync.box, boxOfColours(layer.map, before, layer.palette));
    rasterise(pixels, frame, layer.map, layer.palette, partOf(frame, layer.map.scale, stale));

    const whole = new Uint32Array(pixels.length);
    rasterise(whole, frame, layer.map, layer.palette);
    expect(pixels).toEqual(whole);
    masks.splice(0, masks.length, ...next);
  }
});
