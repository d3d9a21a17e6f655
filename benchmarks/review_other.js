// What one would write to show masks over a picture: an element of SVG for each, or a path of a canvas for each, drawn
// anew when the view moves. The same picture, masks, view and movement as in `review_page.js`.

globalThis.other = async ({ kind, seconds, source, outlines, widthHeight: [width, height] }) => {
  document.body.style.cssText = "margin:0;background:#0f1113;overflow:hidden";
  const picture = new Image();
  picture.src = source;
  await picture.decode();
  const [wide, high] = picture.naturalWidth ? [picture.naturalWidth, picture.naturalHeight] : [1, 1];
  const fitted = Math.min(width / wide, height / high);
  let view = { scale: fitted, x: (width - wide * fitted) / 2, y: (height - high * fitted) / 2 };
  const colour = (i, alpha) => `hsl(${(i * 47) % 360} 70% 55% / ${alpha})`;
  const written = outlines.map((flat) => {
    const points = [];
    for (let i = 0; i < flat.length; i += 2) points.push(`${flat[i]} ${flat[i + 1]}`);
    return `M${points.join("L")}Z`;
  });

  function moved({ x, y, scale }) {
    const factor = Math.exp(-scale * 0.0015);
    const [middleX, middleY] = [width / 2, height / 2];
    view = {
      scale: view.scale * factor,
      x: middleX + (view.x + x - middleX) * factor,
      y: middleY + (view.y + y - middleY) * factor,
    };
  }

  const draw = { svg: inSvg, canvas: onCanvas }[kind]();
  draw();
  const gaps = await stopwatch.frames(seconds, (time) => {
    moved(stopwatch.path(time));
    draw();
  });
  document.body.replaceChildren();
  return gaps;

  function inSvg() {
    const space = "http://www.w3.org/2000/svg";
    const make = (name, attributes, parent) => {
      const made = document.createElementNS(space, name);
      for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
      parent.append(made);
      return made;
    };
    const svg = make("svg", { width, height }, document.body);
    const group = make("g", {}, svg);
    make("image", { href: source, width: wide, height: high }, group);
    written.forEach((d, i) =>
      make("path", { d, fill: colour(i, 0.5), stroke: colour(i, 1), "stroke-width": 1.5, "vector-effect": "non-scaling-stroke" }, group),
    );
    return () => group.setAttribute("transform", `translate(${view.x} ${view.y}) scale(${view.scale})`);
  }

  function onCanvas() {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [width, height];
    document.body.append(canvas);
    const context = canvas.getContext("2d");
    const paths = written.map((d) => new Path2D(d));
    return () => {
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.clearRect(0, 0, width, height);
      context.setTransform(view.scale, 0, 0, view.scale, view.x, view.y);
      context.drawImage(picture, 0, 0);
      context.lineWidth = 1.5 / view.scale;
      paths.forEach((path, i) => {
        context.fillStyle = colour(i, 0.5);
        context.fill(path);
        context.strokeStyle = colour(i, 1);
        context.stroke(path);
      });
    };
  }
};
