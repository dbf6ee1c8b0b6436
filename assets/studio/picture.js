/** Samples on canvases, and the whole grid as one picture to take away. */

const LINE_SIZE = [110, 64];

/** How the samples of a run are drawn: as grey pixels, or as lines where they are no pictures. */
export class Pen {
  /** @param {{shape: number[]|null, length: number}} source  @param {number[]} limits */
  constructor(source, limits) {
    this.shape = source.shape;
    this.length = source.length;
    [this.low, this.high] = limits;
  }

  /** A canvas that `draw` takes. */
  canvas() {
    const canvas = document.createElement("canvas");
    if (this.shape) [canvas.height, canvas.width] = this.shape;
    else {
      [canvas.width, canvas.height] = LINE_SIZE;
      canvas.className = "cs-line";
    }
    return canvas;
  }

  /** Draws sample `i` of values that hold one after the other. */
  draw(canvas, values, i) {
    if (this.shape) drawGrey(canvas, values, i * this.length, this.shape);
    else drawProfile(canvas, values, i * this.length, this.length, this);
  }
}

/** Bytes out of base64. */
export function bytesOf(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

/** The bytes of a message's samples as values in the model's own units. */
export function valuesOf({ kind, bytes }) {
  const raw = bytesOf(bytes);
  if (kind === "floats") return new Float32Array(raw.buffer);
  return Float32Array.from(raw, (grey) => grey / 255);
}

/**
 * The grid as a picture, as a person sees it.
 * @param {any} studio
 * @returns {HTMLCanvasElement}
 */
export function gridPicture(studio) {
  const style = getComputedStyle(studio.root);
  const read = (name, otherwise) => style.getPropertyValue(name).trim() || otherwise;
  const [text, page] = [read("--st-text-color", "#31333f"), read("--st-background-color", "#fff")];
  const font = read("--st-font", "sans-serif");
  const { pen, data, settings } = studio;
  const lines = data.own ? data.order.map((r) => studio.lines[r]) : studio.lines;
  const ratio = pen.shape ? pen.shape[0] / pen.shape[1] : LINE_SIZE[1] / LINE_SIZE[0];
  const [side, gap, head, edge] = [pen.shape ? 56 : 110, 4, 84, 20];
  const high = Math.round(side * ratio);
  const [about, apart] = [data.own ? 190 : 0, 16];
  const most = Math.max(0, ...lines.map((line) => line.real.length));
  const width = edge * 2 + about + (data.own ? side + apart : 0)
    + settings.count * (side + gap) + (most ? apart + most * (side + gap) : 0);
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(560, width);
  canvas.height = head + lines.length * (high + gap) + edge;
  const context = canvas.getContext("2d");
  context.fillStyle = page;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = text;
  context.font = `650 22px ${font}`;
  context.fillText(data.title, edge, 36, canvas.width - 2 * edge);
  context.font = `400 16px ${font}`;
  const order = settings.sorted ? ", sorted by γ" : "";
  const words = `temperature ${settings.temperature}, seed ${settings.seed}${order}`;
  context.fillText(words, edge, 62, canvas.width - 2 * edge);
  context.imageSmoothingEnabled = false;
  lines.forEach((line, r) => {
    const top = head + r * (high + gap);
    let left = edge;
    if (line.row) {
      context.fillStyle = line.row.colour;
      context.beginPath();
      context.roundRect(left, top + high / 2 - 17, 56, 34, 8);
      context.fill();
      context.fillStyle = line.row.ink;
      context.font = `700 18px ${font}`;
      context.textAlign = "center";
      context.fillText(line.row.name, left + 28, top + high / 2 + 6, 50);
      context.textAlign = "left";
      context.fillStyle = text;
      context.font = `400 15px ${font}`;
      line.row.lines.forEach((fact, i) => {
        const middle = (line.row.lines.length - 1) / 2;
        context.fillText(fact, left + 66, top + high / 2 + 5 + 17 * (i - middle), about - 74);
      });
      left += about;
      context.drawImage(line.mean, left, top, side, high);
      left += side + apart;
    }
    for (const cell of line.cells) {
      context.drawImage(cell.canvas, left, top, side, high);
      left += side + gap;
    }
    left += apart;
    for (const real of line.real) {
      context.drawImage(real, left, top, side, high);
      left += side + gap;
    }
  });
  return canvas;
}

/** Hands a canvas to the person as a file. */
export function saveCanvas(canvas, name) {
  canvas.toBlob((blob) => {
    const address = URL.createObjectURL(blob);
    Object.assign(document.createElement("a"), { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
  }, "image/png");
}
