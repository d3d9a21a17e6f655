// The stack of canvases: picture, masks, overlay. It is told scenes and views, notices which layer that concerns, and
// draws those in the next frame of the screen. It keeps caches only: everything it shows comes from the scene.

import { isEmptyBox } from "../geometry/boxes";
import type { BoxXyxy, ImagePoint } from "../geometry/coords";
import { hit } from "../masks/labelmap";
import type { View } from "../view/view";
import { drawPicture } from "./image_layer";
import { boxOfColours, joined, paletteOf, syncMap, type LabelLayer } from "./label_layer";
import { createMaskPainter, type PainterChoice } from "./mask_painter";
import { drawOverlay, type Cursor, type OverlayPen } from "./overlay";
import { EMPTY_SCENE, type Scene } from "./scene";

export type Stage = {
  readonly setScene: (scene: Scene) => void;
  readonly setView: (view: View) => void;
  readonly setCursor: (cursor: Cursor | null) => void;
  /** Ids of the masks under a point, smallest first. */
  readonly masksAt: (at: ImagePoint) => readonly string[];
  readonly painter: "webgl2" | "2d";
  readonly dispose: () => void;
};

export type StageOptions = {
  readonly host: HTMLElement;
  readonly view: View;
  readonly painter?: PainterChoice;
  /** Whether the outline of the mask in hand may walk. */
  readonly isAnimated?: boolean;
  /** A frame was drawn, in so many ms of the page's own time. */
  readonly onFrame?: (ms: number) => void;
};

/** So long after its last change the view counts as resting, in ms. */
const RESTS_AFTER = 120;
const MARCH_EVERY = 90;
const NOWHERE: BoxXyxy = [0, 0, 0, 0];

export function createStage(options: StageOptions): Stage {
  const { host } = options;
  const picture = layer(host);
  const masks = createMaskPainter(options.painter ?? "auto", () => askAllMasks());
  host.append(masks.canvas);
  styled(masks.canvas);
  const pen: OverlayPen = { context: layer(host), scratch: context2d(document.createElement("canvas")) };

  let scene: Scene = EMPTY_SCENE;
  let view = options.view;
  let cursor: Cursor | null = null;
  let labels: LabelLayer | null = null;
  let changed: BoxXyxy = [0, 0, 0, 0];
  // Where the painted masks are not as they should be; null: everywhere.
  let stale: BoxXyxy | null = null;
  let dirty = { picture: true, masks: true, overlay: true };
  let frame = 0;
  let movedAt = -Infinity;
  let rest = 0;
  let march = 0;

  const ask = (layers: Partial<typeof dirty>): void => {
    dirty = { ...dirty, ...layers };
    frame ||= requestAnimationFrame(draw);
  };

  const askAllMasks = (): void => {
    stale = null;
    ask({ masks: true });
  };

  const draw = (): void => {
    frame = 0;
    const begun = performance.now();
    const now = dirty;
    dirty = { picture: false, masks: false, overlay: false };
    if (now.picture) paintPicture();
    if (now.masks) paintMasks(begun - movedAt < RESTS_AFTER);
    if (now.overlay) {
      sized(pen.context, view);
      sized(pen.scratch, view);
      drawOverlay(pen, scene, view, cursor, march);
    }
    options.onFrame?.(performance.now() - begun);
  };

  const paintPicture = (): void => {
    sized(picture, view);
    if (scene.picture === null) picture.clearRect(0, 0, picture.canvas.width, picture.canvas.height);
    else drawPicture(picture, scene.picture, view);
  };

  const paintMasks = (isMoving: boolean): void => {
    const part = stale;
    stale = labels === null || scene.look.areMasksHidden ? null : NOWHERE;
    if (labels === null || scene.look.areMasksHidden) return masks.clear();
    masks.update(labels, changed);
    changed = NOWHERE;
    masks.paint(labels, view, isMoving, part);
  };

  const setScene = (next: Scene): void => {
    const was = scene;
    scene = next;
    if (next.picture !== was.picture) next.picture?.tiles?.onReady(() => scene.picture === next.picture && ask({ picture: true }));
    const areMasksNew = next.masks !== was.masks || next.picture?.sizeHw !== was.picture?.sizeHw;
    if (areMasksNew) syncLabels();
    const isLookNew = next.look !== was.look || isHandFull(next) !== isHandFull(was);
    if (labels !== null && (areMasksNew || isLookNew)) {
      const before = labels.palette;
      labels.palette = paletteOf(labels.map, next.masks, next.look, isHandFull(next));
      if (stale !== null) stale = isLookNew ? null : joined(stale, boxOfColours(labels.map, before, labels.palette));
    }
    const isOverlayNew = areMasksNew || isLookNew || next.hand !== was.hand || next.preview !== was.preview;
    ask({
      picture: dirty.picture || next.picture !== was.picture,
      masks: dirty.masks || areMasksNew || isLookNew,
      overlay: dirty.overlay || isOverlayNew,
    });
  };

  const syncLabels = (): void => {
    const sizeHw = scene.picture?.sizeHw ?? scene.masks[0]?.patch.sizeHw;
    if (sizeHw === undefined) {
      labels = null;
      stale = null;
      return;
    }
    const sync = syncMap(labels, scene.masks, sizeHw);
    if (sync.layer !== labels) stale = null;
    labels = sync.layer;
    changed = joined(changed, sync.box);
    if (stale !== null) stale = joined(stale, sync.box);
  };

  const setView = (next: View): void => {
    if (next === view) return;
    view = next;
    movedAt = performance.now();
    clearTimeout(rest);
    rest = window.setTimeout(askAllMasks, RESTS_AFTER + 10);
    stale = null;
    ask({ picture: true, masks: true, overlay: true });
  };

  const setCursor = (next: Cursor | null): void => {
    if (next === cursor) return;
    cursor = next;
    ask({ overlay: true });
  };

  const walk = window.setInterval(() => {
    const isSeen = scene.hand !== null && scene.hand.rings.length === 0 && !scene.look.areMasksHidden;
    if (!isSeen || document.hidden) return;
    march = (march + 1) % 1100;
    ask({ overlay: true });
  }, MARCH_EVERY);
  if (options.isAnimated === false) clearInterval(walk);

  ask({});
  return {
    setScene,
    setView,
    setCursor,
    masksAt: (at) => (labels === null ? [] : hit(labels.map, at)),
    painter: masks.kind,
    dispose: () => {
      cancelAnimationFrame(frame);
      clearTimeout(rest);
      clearInterval(walk);
      masks.dispose();
      host.replaceChildren();
    },
  };
}

const isHandFull = ({ hand }: Scene): boolean => hand !== null && !isEmptyBox(hand.patch.box);

function layer(host: HTMLElement): CanvasRenderingContext2D {
  const canvas = document.createElement("canvas");
  host.append(canvas);
  styled(canvas);
  return context2d(canvas);
}

function context2d(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const context = canvas.getContext("2d");
  if (context === null) throw new Error("the browser gave no 2d context");
  return context;
}

function styled(canvas: HTMLCanvasElement): void {
  canvas.style.cssText = "position:absolute;inset:0;width:100%;height:100%;pointer-events:none;image-rendering:pixelated";
  canvas.setAttribute("aria-hidden", "true");
}

/** Setting a canvas's size clears it, and takes time. */
function sized({ canvas }: CanvasRenderingContext2D, { viewportHw: [high, wide], pixelRatio }: View): void {
  const width = Math.max(1, Math.round(wide * pixelRatio));
  const height = Math.max(1, Math.round(high * pixelRatio));
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
}
