// The picture under the masks. One of ordinary size is one bitmap. A large one is a small overview, there at once, and
// tiles of the full size that are cut as they come into sight, so that 50 megapixels neither freeze the page nor fill
// the graphics card's memory.

import type { BoxXyxy, SizeHw } from "../geometry/coords";

export type Picture = {
  readonly sizeHw: SizeHw;
  /** The whole picture, perhaps smaller than it is. */
  readonly overview: CanvasImageSource;
  /** Picture pixels along the side of one pixel of the overview. */
  readonly reduction: number;
  /** Tiles of the full size; null where the overview is the picture itself. */
  readonly tiles: Tiles | null;
  readonly close: () => void;
};

/** Tiles that have been cut; asking for one that has not begins to cut it. */
export type Tiles = {
  readonly side: number;
  readonly at: (column: number, row: number) => CanvasImageSource | null;
  readonly onReady: (call: () => void) => void;
};

export const MAX_WHOLE = 16_000_000; // px; above, graphics cards and 2d canvases begin to refuse or to stall
const OVERVIEW = 3_000_000;
const TILE = 1024;
const MAX_TILES = 64;
const CUT_AT_ONCE = 2;

/** Decode an encoded picture, off the page's thread. Rejects if the browser cannot read it. */
export async function readPicture(blob: Blob, maxWhole = MAX_WHOLE): Promise<Picture> {
  return pictureOf(await createImageBitmap(blob, { colorSpaceConversion: "none" }), maxWhole);
}

export async function pictureOf(whole: ImageBitmap, maxWhole = MAX_WHOLE): Promise<Picture> {
  const sizeHw: SizeHw = [whole.height, whole.width];
  const pixels = whole.width * whole.height;
  if (pixels <= maxWhole) return { sizeHw, overview: whole, reduction: 1, tiles: null, close: () => whole.close() };
  const reduction = Math.ceil(Math.sqrt(pixels / OVERVIEW));
  const overview = await createImageBitmap(whole, {
    resizeWidth: Math.ceil(whole.width / reduction),
    resizeHeight: Math.ceil(whole.height / reduction),
    resizeQuality: "medium",
  });
  const tiles = cutTiles(whole);
  const close = (): void => {
    tiles.close();
    overview.close();
    whole.close();
  };
  return { sizeHw, overview, reduction, tiles, close };
}

/** The tiles that a box of the picture meets. */
export function tilesIn([x1, y1, x2, y2]: BoxXyxy, side: number): readonly (readonly [column: number, row: number])[] {
  const found: [number, number][] = [];
  for (let row = Math.floor(y1 / side); row * side < y2; row++) {
    for (let column = Math.floor(x1 / side); column * side < x2; column++) found.push([column, row]);
  }
  return found;
}

function cutTiles(whole: ImageBitmap): Tiles & { readonly close: () => void } {
  // A map keeps the order of use: the first tile is the one that has not been seen for longest.
  const cut = new Map<string, ImageBitmap>();
  const wanted = new Map<string, readonly [number, number]>();
  const listeners: (() => void)[] = [];
  let numCutting = 0;
  let isClosed = false;

  const cutNext = (): void => {
    const next = [...wanted].at(-1);
    if (next === undefined || numCutting >= CUT_AT_ONCE || isClosed) return;
    const [key, [column, row]] = next;
    wanted.delete(key);
    numCutting += 1;
    const [x, y] = [column * TILE, row * TILE];
    void createImageBitmap(whole, x, y, Math.min(TILE, whole.width - x), Math.min(TILE, whole.height - y))
      .then((tile) => keep(key, tile))
      .catch(() => undefined) // the picture was closed meanwhile: nobody waits for its tiles
      .finally(() => {
        numCutting -= 1;
        cutNext();
      });
  };
  const keep = (key: string, tile: ImageBitmap): void => {
    if (isClosed) return tile.close();
    cut.set(key, tile);
    for (const [oldest, bitmap] of cut) {
      if (cut.size <= MAX_TILES) break;
      cut.delete(oldest);
      bitmap.close();
    }
    for (const call of listeners) call();
  };
  const at = (column: number, row: number): CanvasImageSource | null => {
    const key = `${column},${row}`;
    const tile = cut.get(key);
    if (tile !== undefined) {
      cut.delete(key);
      cut.set(key, tile);
      return tile;
    }
    wanted.delete(key);
    wanted.set(key, [column, row]);
    if (wanted.size > MAX_TILES) wanted.delete([...wanted.keys()][0] ?? key);
    cutNext();
    return null;
  };
  const close = (): void => {
    isClosed = true;
    for (const tile of cut.values()) tile.close();
  };
  return { side: TILE, at, onReady: (call) => void listeners.push(call), close };
}
