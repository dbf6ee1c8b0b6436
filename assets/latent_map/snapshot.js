/** The picture as it is on the screen, with its words, as a PNG file. */
import { COLOURINGS } from "./colouring.js";
import { grouped, percent } from "./panels.js";

const EDGE = 16;

/** Saves what a map shows. @param {any} map  a LatentMap */
export function savePicture(map) {
  const canvas = pictureOf(map);
  const { store, header } = map;
  if (canvas) download(canvas, fileName(header.name ?? "map", store.caption, words(map, "epoch")));
}

/** What a map shows, with its words, on a canvas; null before there are frames. */
export function pictureOf(map) {
  const { store, colouring } = map;
  if (!store.frames.length) return null;
  // Drawn anew and read at once: WebGL keeps no picture.
  map.draw();
  const said = {
    title: words(map, "epoch"), acc: words(map, "acc"), recall: words(map, "recall"),
    foot: words(map, "foot"), legendTitle: COLOURINGS[colouring.name].title,
  };
  const layers = { points: map.find("points"), over: map.find("over"), ratio: map.ratio };
  return compose(layers, said, colouring, map.legend.entries, map.theme);
}

function words(map, part) {
  return map.find(part).textContent;
}

/**
 * Puts points, overlay, title, legend and caption on one canvas.
 * @param {{points: HTMLCanvasElement, over: HTMLCanvasElement, ratio: number}} layers
 * @param {any} words  title, acc, recall, foot, legendTitle
 * @param {import("./colouring.js").Colouring} colouring
 * @param {any[]} entries  of the legend
 * @param {{text: string, page: string, font: string, scale: number}} theme
 * @returns {HTMLCanvasElement}
 */
function compose({ points, over, ratio }, words, colouring, entries, theme) {
  const canvas = document.createElement("canvas");
  canvas.width = points.width;
  canvas.height = points.height;
  const context = canvas.getContext("2d");
  context.fillStyle = theme.page;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(points, 0, 0);
  context.drawImage(over, 0, 0, canvas.width, canvas.height);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  const [width, height] = [canvas.width / ratio, canvas.height / ratio];
  const { scale, font } = theme;
  context.fillStyle = theme.text;
  context.textBaseline = "top";
  let top = EDGE;
  for (const [text, size, weight] of [
    [words.title, 26, 700], [words.acc, 22, 600], [words.recall, 16, 400],
  ]) {
    if (!text) continue;
    context.font = `${weight} ${scale * size}px ${font}`;
    context.fillText(text, EDGE, top);
    top += scale * size * 1.25;
  }
  context.font = `400 ${16 * scale}px ${font}`;
  context.textBaseline = "bottom";
  context.fillText(words.foot, EDGE, height - EDGE / 2, width - 2 * EDGE);
  drawLegend(context, width - EDGE, words.legendTitle, colouring, entries, theme);
  return canvas;
}

function drawLegend(context, right, title, colouring, entries, theme) {
  const { scale, font } = theme;
  context.textBaseline = "middle";
  context.textAlign = "right";
  context.font = `600 ${16 * scale}px ${font}`;
  context.fillStyle = theme.text;
  context.fillText(title, right, EDGE + 10 * scale);
  let y = EDGE + 38 * scale;
  const rows = colouring.isCategorical
    ? entries.map((e) => [colouring.colour(e.code), `${e.name}: ${grouped(e.count)}`])
    : [1, 0.75, 0.5, 0.25, 0].map((share) => [
      colouring.colour(Math.round(255 * share)), percent(share, 0)]);
  context.font = `400 ${16 * scale}px ${font}`;
  for (const [colour, text] of rows) {
    context.fillStyle = colour;
    context.beginPath();
    context.roundRect(right - 22 * scale, y - 10 * scale, 22 * scale, 20 * scale, 5 * scale);
    context.fill();
    context.fillStyle = theme.text;
    context.fillText(text, right - 30 * scale, y);
    y += 25 * scale;
  }
  context.textAlign = "left";
}

/** Hands a canvas to the person as a file. */
export function download(canvas, name) {
  canvas.toBlob((blob) => {
    const address = URL.createObjectURL(blob);
    const link = Object.assign(document.createElement("a"), { href: address, download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
  }, "image/png");
}

/** A name that every file system takes. */
export function fileName(...parts) {
  const plain = parts.join(" ").toLowerCase().replace(/[^a-z0-9]+/g, "-");
  return `${plain.replace(/^-+|-+$/g, "").slice(0, 100) || "map"}.png`;
}
