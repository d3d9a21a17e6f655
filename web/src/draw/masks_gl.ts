// Paints the mask layer with WebGL 2: the label map is a texture of whole numbers, the palette another, and the shader
// finds fills and outlines. A frame costs the same for one mask and for ten thousand.

import { intersectBoxes, isEmptyBox } from "../geometry/boxes";
import type { BoxXyxy } from "../geometry/coords";
import type { View } from "../view/view";
import type { LabelLayer, Palette } from "./label_layer";
import type { LabelMap } from "../masks/labelmap";
import type { MaskPainter } from "./mask_painter";
import { rasterFrame } from "./raster";
import { FRAGMENT, VERTEX } from "./shaders";

const PALETTE_WIDE = 1024;

type Gl = {
  readonly context: WebGL2RenderingContext;
  readonly uniforms: Readonly<Record<"first" | "cellsPerPixel" | "outline" | "size" | "labels" | "palette", WebGLUniformLocation | null>>;
  readonly labels: WebGLTexture;
  readonly palette: WebGLTexture;
};

/** Null where the browser has no WebGL 2, or only an emulated one and `isRealWanted`. */
export function createMasksGl(isRealWanted: boolean, onRestored: () => void): MaskPainter | null {
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("webgl2", {
    alpha: true,
    antialias: false,
    depth: false,
    failIfMajorPerformanceCaveat: isRealWanted,
  });
  if (context === null || (isRealWanted && isEmulated(context))) return null;
  let gl: Gl | null = prepare(context);
  let uploaded: { readonly map: LabelMap; readonly cells: LabelMap["cells"]; readonly palette: Palette } | null = null;
  const lost = (event: Event): void => {
    event.preventDefault();
    gl = null;
  };
  const restored = (): void => {
    gl = prepare(context);
    uploaded = null;
    onRestored();
  };
  canvas.addEventListener("webglcontextlost", lost);
  canvas.addEventListener("webglcontextrestored", restored);

  const update = ({ map, palette }: LabelLayer, box: BoxXyxy): void => {
    if (gl === null) return;
    if (uploaded?.map !== map || uploaded.cells !== map.cells) uploadMap(gl, map);
    else if (!isEmptyBox(box)) uploadBox(gl, map, box);
    if (uploaded?.palette !== palette) uploadPalette(gl, palette);
    uploaded = { map, cells: map.cells, palette };
  };

  const paint = (layer: LabelLayer, view: View): void => {
    if (gl === null) return;
    if (uploaded === null) update(layer, [0, 0, 0, 0]);
    drawFrame(gl, canvas, layer, view);
  };

  return {
    kind: "webgl2",
    canvas,
    update,
    paint,
    clear: () => gl?.context.clear(gl.context.COLOR_BUFFER_BIT),
    dispose: () => {
      canvas.removeEventListener("webglcontextlost", lost);
      canvas.removeEventListener("webglcontextrestored", restored);
      context.getExtension("WEBGL_lose_context")?.loseContext();
    },
  };
}

/** Browsers do not count every emulation as a caveat: Chromium 156 gives SwiftShader out as it would a card (3 frames/s). */
function isEmulated(gl: WebGL2RenderingContext): boolean {
  const info = gl.getExtension("WEBGL_debug_renderer_info");
  const name: unknown = gl.getParameter(info?.UNMASKED_RENDERER_WEBGL ?? gl.RENDERER);
  return /swiftshader|llvmpipe|softpipe|software|basic render/i.test(String(name));
}

function drawFrame({ context: gl, uniforms }: Gl, canvas: HTMLCanvasElement, { map }: LabelLayer, view: View): void {
  const frame = rasterFrame(view, map.scale, 1);
  if (canvas.width !== frame.width) canvas.width = frame.width;
  if (canvas.height !== frame.height) canvas.height = frame.height;
  gl.viewport(0, 0, frame.width, frame.height);
  gl.clear(gl.COLOR_BUFFER_BIT);
  // The shader counts pixels from the lower left corner.
  gl.uniform2f(uniforms.first, frame.cellX, frame.cellY + (frame.height - 1) * frame.cellsPerPixel);
  gl.uniform1f(uniforms.cellsPerPixel, frame.cellsPerPixel);
  gl.uniform1f(uniforms.outline, frame.outline * frame.cellsPerPixel);
  gl.uniform2i(uniforms.size, map.cellsWide, map.cells.length / map.cellsWide);
  gl.drawArrays(gl.TRIANGLES, 0, 3);
}

function prepare(gl: WebGL2RenderingContext): Gl | null {
  const program = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]] as const) {
    const shader = gl.createShader(kind);
    if (shader === null) return null;
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) {
    if (gl.isContextLost()) return null;
    throw new Error(`the mask shader does not link: ${gl.getProgramInfoLog(program)}`);
  }
  gl.useProgram(program);
  const at = (name: string): WebGLUniformLocation | null => gl.getUniformLocation(program, name);
  const uniforms = {
    first: at("first"),
    cellsPerPixel: at("cellsPerPixel"),
    outline: at("outline"),
    size: at("size"),
    labels: at("labels"),
    palette: at("palette"),
  };
  gl.uniform1i(uniforms.labels, 0);
  gl.uniform1i(uniforms.palette, 1);
  gl.clearColor(0, 0, 0, 0);
  gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
  return { context: gl, uniforms, labels: texture(gl, gl.TEXTURE0), palette: texture(gl, gl.TEXTURE1) };
}

function texture(gl: WebGL2RenderingContext, unit: number): WebGLTexture {
  const made = gl.createTexture();
  gl.activeTexture(unit);
  gl.bindTexture(gl.TEXTURE_2D, made);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
  return made;
}

function formatOf(gl: WebGL2RenderingContext, cells: LabelMap["cells"]): readonly [number, number] {
  return cells instanceof Uint16Array ? [gl.R16UI, gl.UNSIGNED_SHORT] : [gl.R32UI, gl.UNSIGNED_INT];
}

function uploadMap({ context: gl }: Gl, { cells, cellsWide }: LabelMap): void {
  const [inner, type] = formatOf(gl, cells);
  gl.activeTexture(gl.TEXTURE0);
  gl.texImage2D(gl.TEXTURE_2D, 0, inner, cellsWide, cells.length / cellsWide, 0, gl.RED_INTEGER, type, cells);
}

function uploadBox({ context: gl }: Gl, { cells, cellsWide, scale }: LabelMap, box: BoxXyxy): void {
  const high = cells.length / cellsWide;
  const touched: BoxXyxy = [
    Math.floor(box[0] / scale),
    Math.floor(box[1] / scale),
    Math.ceil(box[2] / scale),
    Math.ceil(box[3] / scale),
  ];
  const [x1, y1, x2, y2] = intersectBoxes(touched, [0, 0, cellsWide, high]);
  if (x2 <= x1 || y2 <= y1) return;
  const [, type] = formatOf(gl, cells);
  gl.activeTexture(gl.TEXTURE0);
  gl.pixelStorei(gl.UNPACK_ROW_LENGTH, cellsWide);
  gl.texSubImage2D(gl.TEXTURE_2D, 0, x1, y1, x2 - x1, y2 - y1, gl.RED_INTEGER, type, cells, y1 * cellsWide + x1);
  gl.pixelStorei(gl.UNPACK_ROW_LENGTH, 0);
}

/** Fills in the upper half of the texture, outlines in the lower. */
function uploadPalette({ context: gl }: Gl, { fill, outline }: Palette): void {
  const rows = Math.ceil(fill.length / PALETTE_WIDE);
  const pixels = new Uint32Array(PALETTE_WIDE * rows * 2);
  pixels.set(fill);
  pixels.set(outline, PALETTE_WIDE * rows);
  gl.activeTexture(gl.TEXTURE1);
  const bytes = new Uint8Array(pixels.buffer);
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, PALETTE_WIDE, rows * 2, 0, gl.RGBA, gl.UNSIGNED_BYTE, bytes);
}
