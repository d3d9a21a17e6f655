// A page for trying the canvas and for measuring it: a made-up picture, as many masks as the address says, and every tool.
// Only the development server has it: `npm run dev`, then /canvas.html?masks=2000&width=1920&height=1080&painter=auto.
// Digits choose tools, [ and ] the brush, z and y undo and redo, c cycles, h hides; `tryCanvas` measures from outside.

import { flushSync, mount } from "svelte";
import Canvas from "./components/Canvas.svelte";
import { imagePoint, type ImagePoint, type SizeHw } from "./geometry/coords";
import { colourOf, type ColourBy } from "./draw/colours";
import { pictureOf } from "./draw/picture";
import { LOOK, type SceneMask } from "./draw/scene";
import { lasso } from "./masks/fill";
import type { Patch } from "./masks/patch";
import { newDraft, redo, undo, type Draft, type Effect } from "./tools/draft";
import { answered, cycle } from "./tools/prompting";
import { enterTool } from "./tools/step";
import { TOOLS, type Tool } from "./tools/tool";
import { toScreen, type View } from "./view/view";

const asked = new URLSearchParams(location.search);
const number = (name: string, otherwise: number): number => Number(asked.get(name) ?? otherwise);
const size: SizeHw = [number("height", 1080), number("width", 1920)];
const numMasks = number("masks", 2000);
const painter = asked.get("painter") === "webgl2" ? "webgl2" : asked.get("painter") === "2d" ? "2d" : "auto";

let seed = 11;
const random = (): number => {
  seed = (seed * 48271) % 2147483647;
  return seed / 2147483647;
};

/** A round shape with a wavy edge. */
function blob(centre: ImagePoint, radius: number): Patch {
  const phase = random() * 6;
  const path = Array.from({ length: 48 }, (_, i) => {
    const angle = (i / 48) * 2 * Math.PI;
    const reach = radius * (1 + 0.18 * Math.sin(3 * angle + phase) + 0.07 * Math.sin(7 * angle));
    return imagePoint(centre.x + reach * Math.cos(angle), centre.y + 0.8 * reach * Math.sin(angle));
  });
  return lasso(path, size);
}

function masksOf(by: ColourBy): SceneMask[] {
  return patches.map((patch, i) => {
    const facts = {
      id: `mask-${i}`,
      label: i % 9 === 0 ? null : `label ${i % 23}`,
      track: `track ${i % 50}`,
      score: 0.5 + ((i * 37) % 50) / 100,
      status: ["proposed", "accepted", "rejected"][i % 3] ?? "proposed",
    };
    const colour = colourOf(by, facts);
    return { id: facts.id, patch, fill: colour, outline: colour, isSelected: i === 3 || i === 40, isInHand: false };
  });
}

async function makePicture() {
  const canvas = new OffscreenCanvas(size[1], size[0]);
  const context = canvas.getContext("2d");
  if (context === null) throw new Error("no 2d context");
  const ground = context.createLinearGradient(0, 0, size[1], size[0]);
  ground.addColorStop(0, "#5b6f82");
  ground.addColorStop(1, "#c9b79c");
  context.fillStyle = ground;
  context.fillRect(0, 0, size[1], size[0]);
  for (let i = 0; i < 400; i++) {
    context.fillStyle = `hsl(${random() * 360} 25% ${30 + random() * 45}%)`;
    const side = (size[1] / 1920) * (10 + random() * 120);
    context.fillRect(random() * size[1], random() * size[0], side, side * (0.4 + random()));
  }
  return pictureOf(await createImageBitmap(canvas));
}

const patches = Array.from({ length: numMasks }, (_, i) => {
  const radius = ((i < 12 ? 90 : 9) + random() ** 3 * 50) * (size[1] / 1920);
  return blob(imagePoint(random() * size[1], random() * size[0]), radius);
});
const frames: number[] = [];
let view: View | null = null;
let clickedAt = 0;
const paints: number[] = [];

function segment(effects: readonly Effect[]): void {
  for (const effect of effects) {
    if (effect.kind !== "segment") continue;
    const { box, points } = effect.prompts;
    const at = points.at(-1)?.at ?? imagePoint(((box?.[0] ?? 0) + (box?.[2] ?? 0)) / 2, ((box?.[1] ?? 0) + (box?.[3] ?? 0)) / 2);
    const candidates = [60, 30, 110].map((radius, i) => ({ patch: blob(at, radius), score: 0.9 - i * 0.1 }));
    if (props.draft !== null) props.draft = answered(props.draft, effect.id, candidates);
  }
}

const props = $state({
  label: "Frame 1",
  sizeHw: size,
  picture: await makePicture(),
  masks: masksOf("label") as readonly SceneMask[],
  look: LOOK,
  tool: "click" as Tool,
  draft: newDraft(size) as Draft | null,
  radius: 14,
  painter: painter as "auto" | "webgl2" | "2d",
  onDraft(draft: Draft, effects: readonly Effect[]): void {
    props.draft = draft;
    segment(effects);
  },
  onIntent(intent: { kind: string; radius?: number }): void {
    if (intent.kind === "brushSize" && intent.radius !== undefined) props.radius = intent.radius;
  },
  onHover: async (at: ImagePoint): Promise<Patch | null> => (asked.has("hover") ? blob(at, 50) : null),
  onView: (next: View): void => void (view = next),
  onFrame(ms: number): void {
    frames.push(ms);
    if (clickedAt === 0) return;
    const begun = clickedAt;
    clickedAt = 0;
    const channel = new MessageChannel(); // answers after the frame was handed to the compositor
    channel.port1.onmessage = () => paints.push(performance.now() - begun);
    channel.port2.postMessage(null);
  },
});

const target = document.getElementById("app");
if (target === null) throw new Error("the page has no element with the id app");
const canvas = mount(Canvas, { target, props });
flushSync();

const setTool = (tool: Tool): void => {
  props.tool = tool;
  if (props.draft !== null) props.draft = enterTool(tool, props.draft);
};

addEventListener("keydown", ({ key }) => {
  const tool = TOOLS[Number(key) - 1];
  if (tool !== undefined) setTool(tool);
  if (key === "[" || key === "]") props.radius *= key === "]" ? 1.2 : 1 / 1.2;
  if (key === "h") props.look = { ...props.look, areMasksHidden: !props.look.areMasksHidden };
  if (props.draft === null) return;
  if (key === "z") props.draft = undo(props.draft);
  if (key === "y") props.draft = redo(props.draft);
  if (key === "c") props.draft = cycle(props.draft, 1);
});

type Figures = { readonly fps: number; readonly drawMs: number; readonly drawMs95: number };

/** Move the view in every frame for a while. */
async function measure(seconds: number, move: (time: number) => void): Promise<Figures> {
  frames.length = 0;
  let count = 0;
  const begun = performance.now();
  await new Promise<void>((resolve) => {
    const next = (): void => {
      const time = (performance.now() - begun) / 1000;
      if (time > seconds) return resolve();
      count += 1;
      move(time);
      requestAnimationFrame(next);
    };
    requestAnimationFrame(next);
  });
  const sorted = frames.toSorted((a, b) => a - b);
  const at = (share: number): number => Math.round((sorted[Math.floor(sorted.length * share)] ?? 0) * 10) / 10;
  return { fps: Math.round((count / (performance.now() - begun)) * 10000) / 10, drawMs: at(0.5), drawMs95: at(0.95) };
}

const panning = (seconds = 4): Promise<Figures> =>
  measure(seconds, (time) => canvas.pan(12 * Math.cos(time * 3), 8 * Math.sin(time * 2)));

const zooming = (seconds = 4): Promise<Figures> => measure(seconds, (time) => canvas.zoomBy(Math.exp(0.03 * Math.sin(time * 1.5))));

/** From the event of a press to the frame with the mask, without a server: what the page itself adds to a click. */
async function clicking(times = 20): Promise<{ readonly median: number; readonly worst: number }> {
  paints.length = 0;
  const host = document.querySelector("[role=application]");
  for (let i = 0; i < times; i++) {
    clickedAt = performance.now();
    const place = { clientX: 200 + 37 * i, clientY: 200 + 11 * i, pointerId: 1, pointerType: "mouse", bubbles: true, isPrimary: true };
    host?.dispatchEvent(new PointerEvent("pointerdown", place));
    host?.dispatchEvent(new PointerEvent("pointerup", place));
    await new Promise((resolve) => setTimeout(resolve, 120));
  }
  const sorted = paints.toSorted((a, b) => a - b).map((ms) => Math.round(ms * 10) / 10);
  return { median: sorted[sorted.length >> 1] ?? NaN, worst: sorted.at(-1) ?? NaN };
}

const tryCanvas = {
  panning,
  zooming,
  clicking,
  setTool,
  canvas,
  painter: () => canvas.paintedBy(),
  colourBy: (by: ColourBy) => void (props.masks = masksOf(by)),
  look: (look: Partial<typeof LOOK>) => void (props.look = { ...props.look, ...look }),
  place: (x: number, y: number) => view && toScreen(view, imagePoint(x, y)),
  select: (i: number) => {
    const patch = patches[i];
    if (patch !== undefined) props.draft = enterTool(props.tool, newDraft(size, patch));
    props.masks = props.masks.map((mask, j) => ({ ...mask, isInHand: i === j }));
  },
  draft: () => props.draft,
};
Object.assign(globalThis, { tryCanvas });
const figures = document.getElementById("figures");
if (figures !== null) figures.textContent = `${numMasks} masks on ${size[1]} x ${size[0]}, ${canvas.paintedBy()}`;
