/** One sample on a canvas: crisp grey pixels, or a line where it is no picture. */

/**
 * Draws one sample as grey pixels, bright ink on black as everywhere in the house.
 * @param {HTMLCanvasElement|CanvasRenderingContext2D} target  a canvas takes the picture's size
 *   and is enlarged by CSS (image-rendering: pixelated); a context is drawn on at left, top
 * @param {ArrayLike<number>} values  in [0, 1]
 * @param {number} offset  where the sample begins
 * @param {[number, number]} shape  height and width
 */
export function drawGrey(target, values, offset, [height, width], left = 0, top = 0) {
  let context = target;
  if (target instanceof HTMLCanvasElement) {
    if (target.width !== width) target.width = width;
    if (target.height !== height) target.height = height;
    context = target.getContext("2d");
  }
  const image = context.createImageData(width, height);
  const words = new Uint32Array(image.data.buffer);
  for (let i = 0; i < words.length; i++) {
    const grey = Math.round(255 * Math.min(1, Math.max(0, values[offset + i]))) || 0;
    words[i] = 0xff000000 | (grey << 16) | (grey << 8) | grey;
  }
  context.putImageData(image, left, top);
}

/** Corners of a profile at most; more values are cut down to means of neighbours. */
const MOST_CORNERS = 200;

/**
 * Draws one sample as a line from left to right, as profile_svg in pages/shared/digits.py; one
 * value is a tick on an axis, two are a dot.
 * @param {HTMLCanvasElement} canvas  drawn in its own size in pixels
 * @param {ArrayLike<number>} values
 * @param {number} offset  where the sample begins
 * @param {number} count  D
 * @param {{low: number, high: number, colour?: string}} look  limits of the scale
 */
export function drawProfile(canvas, values, offset, count, { low, high, colour = "#1578c4" }) {
  const context = canvas.getContext("2d");
  const { width, height } = canvas;
  const edge = 3;
  const corners = Math.min(count, MOST_CORNERS);
  context.clearRect(0, 0, width, height);
  if (count <= 2) {
    drawDot(context, values, offset, count, { low, high, colour });
    return;
  }
  context.strokeStyle = colour;
  context.lineWidth = 2;
  context.lineJoin = "round";
  context.beginPath();
  for (let corner = 0; corner < corners; corner++) {
    const [from, to] = [corner, corner + 1].map((c) => Math.floor((c * count) / corners));
    let sum = 0;
    for (let i = from; i < to; i++) sum += values[offset + i];
    const share = (sum / (to - from) - low) / (high - low || 1);
    const x = edge + ((width - 2 * edge) * corner) / Math.max(1, corners - 1);
    context.lineTo(x, edge + (height - 2 * edge) * (1 - share));
  }
  context.stroke();
}

/** One value as a tick on an axis, two as a dot in the field. */
function drawDot(context, values, offset, count, { low, high, colour }) {
  const { width, height } = context.canvas;
  const edge = 6;
  const share = (i) => Math.min(1, Math.max(0, (values[offset + i] - low) / (high - low || 1))) || 0;
  const x = edge + (width - 2 * edge) * share(0);
  const base = count === 1 ? height / 2 : height - 2;
  context.fillStyle = "#808892";
  context.fillRect(2, base - 0.75, width - 4, 1.5);
  context.fillStyle = colour;
  if (count === 1) {
    context.fillRect(x - 2.5, base - 16, 5, 32);
    return;
  }
  context.beginPath();
  context.arc(x, edge + (height - 2 * edge) * (1 - share(1)), 5, 0, 2 * Math.PI);
  context.fill();
}
