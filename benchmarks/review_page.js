// Stopwatches inside the page of the review application. They begin with the browser's own time stamp of an event and end
// after the frame of the screen that shows what came of it: the pixels of the canvases are looked at, not the state.

globalThis.stopwatch = (() => {
  /** Resolves after the next frame was drawn and handed over. */
  const painted = () =>
    new Promise((resolve) =>
      requestAnimationFrame(() => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => resolve(performance.now());
        port2.postMessage(null);
      }),
    );

  async function until(isThere, limitMs = 120_000) {
    const begun = performance.now();
    for (;;) {
      const at = await painted();
      if (isThere()) return at;
      if (at - begun > limitMs) throw new Error(`not there after ${limitMs} ms: ${isThere}`);
    }
  }

  const host = () => document.querySelector("[role=application]");
  const LAYERS = { picture: 0, masks: 1, overlay: 2 };

  /** A pixel of a layer, at a share of its width and height: [r, g, b, a]. */
  function pixel(layer, [x, y]) {
    const canvas = host()?.querySelectorAll("canvas")[LAYERS[layer]];
    const context = canvas?.getContext("2d");
    if (!context) return [0, 0, 0, 0];
    return [...context.getImageData(Math.floor(canvas.width * x), Math.floor(canvas.height * y), 1, 1).data];
  }
  const MIDDLE = [0.5, 0.5];
  const isSame = (a, b) => a.every((one, i) => Math.abs(one - b[i]) < 8);
  const shareOf = ({ clientX, clientY }) => {
    const box = host().getBoundingClientRect();
    return [(clientX - box.left) / box.width, (clientY - box.top) / box.height];
  };
  const options = () => [...document.querySelectorAll("[role=option]")];
  const selected = () => document.querySelector("[role=option][aria-selected=true]")?.id ?? null;
  const isFrameThere = () => options().length > 0 && pixel("picture", MIDDLE)[3] > 0 && pixel("masks", MIDDLE)[3] > 0;

  /** What must show, once an event has come. Each is called with the event, before the page hears of it. */
  const ends = {
    click: () => () => document.querySelector(".candidates button") !== null && pixel("overlay", shareOf(last))[3] > 0,
    hover: () => () => pixel("overlay", shareOf(last))[3] > 0,
    next: () => {
      const before = selected();
      return () => selected() !== null && selected() !== before;
    },
    frame: () => {
      const [first, shown] = [options()[0]?.id, pixel("picture", MIDDLE)];
      return () => options()[0]?.id !== first && !isSame(pixel("picture", MIDDLE), shown) && isFrameThere();
    },
  };

  let last = null;
  let running = null;

  /** Wait for an event of a kind, then for what must show. */
  function begin(kind, end) {
    running = new Promise((resolve, reject) => {
      const heard = (event) => {
        last = event;
        until(ends[end](event)).then((at) => resolve(at - event.timeStamp), reject);
      };
      addEventListener(kind, heard, { capture: true, once: true });
    });
    running.catch(() => undefined);
  }

  /** Do something in every frame for a while; the time between frames, in ms. */
  async function frames(seconds, move) {
    const gaps = [];
    const begun = performance.now();
    await new Promise((resolve) => {
      let before = 0;
      const next = (now) => {
        if (before > 0) gaps.push(now - before);
        before = now;
        const time = (performance.now() - begun) / 1000;
        if (time > seconds) return resolve();
        move(time);
        requestAnimationFrame(next);
      };
      requestAnimationFrame(next);
    });
    return gaps;
  }

  /** Drag the picture about and turn the wheel, as a hand does: events of the pointer, in every frame. */
  function moveApplication(seconds) {
    const target = host();
    const box = target.getBoundingClientRect();
    const at = { clientX: box.left + box.width / 2, clientY: box.top + box.height / 2 };
    const common = { pointerId: 1, pointerType: "mouse", isPrimary: true, bubbles: true };
    return frames(seconds, (time) => {
      const { x, y, scale } = path(time);
      const place = { clientX: at.clientX + x, clientY: at.clientY + y };
      const press = { ...common, ...at, button: 1 };
      target.dispatchEvent(new PointerEvent("pointerdown", press));
      target.dispatchEvent(new PointerEvent("pointermove", { ...common, ...place, button: -1, buttons: 4 }));
      target.dispatchEvent(new PointerEvent("pointerup", { ...press, ...place }));
      target.dispatchEvent(new WheelEvent("wheel", { ...at, deltaY: scale, bubbles: true, cancelable: true }));
    });
  }
  const path = (time) => ({ x: 9 * Math.cos(time * 3), y: 6 * Math.sin(time * 2), scale: -14 * Math.sin(time * 1.5) });

  return {
    begin,
    end: () => running,
    first: new Promise((resolve, reject) => {
      addEventListener("DOMContentLoaded", () => until(isFrameThere).then(resolve, reject), { once: true });
    }),
    isFrameThere,
    painted,
    frames,
    path,
    moveApplication,
  };
})();
