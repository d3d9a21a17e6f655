// The shaders of the mask layer. They draw what raster.ts defines; zoomed out they look at four places of each pixel, which
// makes edges smoother.

export const VERTEX = `#version 300 es
void main() {
  // One triangle that covers the canvas.
  gl_Position = vec4(vec2(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0), 0.0, 1.0);
}`;

export const FRAGMENT = `#version 300 es
precision highp float;
precision highp int;
precision highp usampler2D;

uniform usampler2D labels;
uniform sampler2D palette;
uniform vec2 first;     // the cell under the middle of the lower left pixel
uniform float cellsPerPixel;
uniform float outline;  // width of the outline in cells
uniform ivec2 size;     // cells of the map
out vec4 colour;

uint labelAt(vec2 cell) {
  ivec2 at = ivec2(floor(cell));
  if (any(lessThan(at, ivec2(0))) || any(greaterThanEqual(at, size))) return 0u;
  return texelFetch(labels, at, 0).r;
}

vec4 paletteAt(uint label, int half_) {
  ivec2 wide = textureSize(palette, 0);
  int index = int(label);
  vec4 found = texelFetch(palette, ivec2(index % wide.x, index / wide.x + half_ * (wide.y / 2)), 0);
  return vec4(found.rgb * found.a, found.a);
}

vec4 colourAt(vec2 cell) {
  uint label = labelAt(cell);
  if (label == 0u) return vec4(0.0);
  vec2 dx = vec2(outline, 0.0);
  vec2 dy = vec2(0.0, outline);
  bool isEdge = labelAt(cell - dx) != label || labelAt(cell + dx) != label
             || labelAt(cell - dy) != label || labelAt(cell + dy) != label;
  vec4 edge = isEdge ? paletteAt(label, 1) : vec4(0.0);
  return edge.a > 0.0 ? edge : paletteAt(label, 0);
}

void main() {
  vec2 pixel = floor(gl_FragCoord.xy);
  vec2 cell = first + vec2(pixel.x, -pixel.y) * cellsPerPixel;
  if (cellsPerPixel <= 1.0) { colour = colourAt(cell); return; }
  float quarter = cellsPerPixel * 0.25;
  colour = 0.25 * (colourAt(cell + vec2(-quarter, -quarter)) + colourAt(cell + vec2(quarter, -quarter))
                 + colourAt(cell + vec2(-quarter, quarter)) + colourAt(cell + vec2(quarter, quarter)));
}`;
