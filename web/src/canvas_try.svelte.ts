// A page for trying the canvas and for measuring it: a made-up picture, as many masks as the address says, and every tool.
// Only the development server has it: `npm run dev`, then /canvas.html?masks=2000&width=1920&height=1080&painter=auto.
// Digits choose tools, [ and ] the brush, z and y undo and redo, c cycles, h hides; `tryCanvas` measures from outside.

import { flushSync, mount } from "svelte";
import Canvas from "./components/Canvas.svelte";
import { imagePoint, type ImagePoint, type SizeHw } from "./geometry/coords";
import { colourOf, type ColourBy } from "./draw/colours";
import { pictureOf } from "./draw/picture";
import { LOOK, type SceneMask } from "./draw/scene";
import type { Intent } from "./input/intent";
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
    if (draft !== null) draft = answered(draft, effect.id, candidates);
  }
}

// Raw: deep state would wrap masks in proxies, and drawing tells by identity what changed.
let masks = $state.raw<readonly SceneMask[]>(masksOf("label"));
let look = $state.raw(LOOK);
let tool = $state.raw<Tool>("click");
let draft = $state.raw<Draft | null>(newDraft(size));
let radius = $state.raw(14);

const props = {
  label: "Frame 1",
  sizeHw: size,
  picture: await makePicture(),
  painter,
  get masks() {
    return masks;
  },
  get look() {
    return look;
  },
  get tool() {
    return tool;
  },
  get draft() {
    return draft;
  },
  get radius() {
    return radius;
  },
  onDraft(next: Draft, effects: readonly Effect[]): void {
    draft = next;
    segment(effects);
  },
  onIntent(intent: Intent): void {
    if (intent.kind === "brushSize") radius = intent.radius;
  },
  onHover: async (at: ImagePoint): Promise<Patch | null> => (asked.has("hover") ? blob(at, 50) : null),
  onPick(ids: readonly string[], isAdded: boolean): void {
    const id = ids[0];
    masks = masks.map((mask) => ({ ...mask, isSelected: mask.id === id || (isAdded && mask.isSelected) }));
  },
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
} as const;

const target = document.getElementById("app");
if (target === null) throw new Error("the page has no element with the id app");
const canvas = mount(Canvas, { target, props });
flushSync();

const setTool = (next: Tool): void => {
  tool = next;
  if (draft !== null) draft = enterTool(tool, draft);
};

window.addEventListener("keydown", ({ key }) => {
  const chosen = TOOLS[Number(key) - 1];
  if (chosen !== undefined) setTool(chosen);
  if (key === "[" || key === "]") radius *= key === "]" ? 1.2 : 1 / 1.2;
  if (key === "h") look = { ...look, areMasksHidden: !look.areMasksHidden };
  if (draft === null) return;
  if (key === "z") draft = undo(draft);
  if (key === "y") draft = redo(draft);
  if (key === "c") draft = cycle(draft, 1);
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
  colourBy: (by: ColourBy) => void (masks = masksOf(by)),
  look: (change: Partial<typeof LOOK>) => void (look = { ...look, ...change }),
  place: (x: number, y: number) => view && toScreen(view, imagePoint(x, y)),
  select: (i: number) => {
    const patch = patches[i];
    if (patch !== undefined) draft = enterTool(tool, newDraft(size, patch));
    masks = masks.map((mask, j) => ({ ...mask, isInHand: i === j }));
  },
  draft: () => draft,
};
Object.assign(globalThis, { tryCanvas });
const figures = document.getElementById("figures");
if (figures !== null) figures.textContent = `${numMasks} masks on ${size[1]} x ${size[0]}, ${canvas.paintedBy()}`;
