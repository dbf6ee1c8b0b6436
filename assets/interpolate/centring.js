/**
 * A drawn digit made as MNIST's were: fitted into a box by averaging over areas, placed by its
 * centre of mass. The same as vade_core/drawing.py, where the source is named.
 */

/** Grey level above which a pixel counts as ink. */
const INK = 0.1;

/** Each new pixel's shares of the old ones that it covers: [first old one, shares][]. */
function areaShares(before, after) {
  const size = before / after;
  return Array.from({ length: after }, (_, i) => {
    const [from, to] = [i * size, (i + 1) * size];
    const first = Math.min(before - 1, Math.floor(from));
    const shares = [];
    for (let old = first; old < before && old < to; old++) {
      shares.push(Math.max(0, Math.min(to, old + 1) - Math.max(from, old)) / size);
    }
    return [first, shares];
  });
}

/** Where the ink begins so that its centre lies in the middle pixel, within the picture. */
function placeOfInk(centre, size, whole) {
  const wanted = Math.ceil(Math.floor(whole / 2) - centre - 0.5);
  return Math.min(Math.max(wanted, 0), whole - size);
}

/**
 * @param {ArrayLike<number>} ink  grey levels in [0, 1], row by row
 * @param {number} rows  of the drawing
 * @param {number} columns
 * @param {[number, number]} shape  of the picture that is wanted
 * @param {number} box  the longer side of the ink in it, in pixels
 * @returns {Float32Array}  zeros where nothing is drawn
 */
export function centredDrawing(ink, rows, columns, [height, width], box) {
  const picture = new Float32Array(height * width);
  let [top, bottom, left, right] = [rows, -1, columns, -1];
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      if (ink[y * columns + x] <= INK) continue;
      [top, bottom] = [Math.min(top, y), y];
      [left, right] = [Math.min(left, x), Math.max(right, x)];
    }
  }
  if (bottom < 0) return picture;
  const [tall, broad] = [bottom + 1 - top, right + 1 - left];
  const scale = box / Math.max(tall, broad);
  const [high, wide] = [tall, broad].map((side) => Math.max(1, Math.floor(side * scale + 0.5)));
  const small = new Float64Array(high * wide);
  const across = areaShares(broad, wide);
  areaShares(tall, high).forEach(([firstRow, downwards], r) => {
    downwards.forEach((share, i) => {
      const line = (top + firstRow + i) * columns + left;
      across.forEach(([first, sidewards], c) => {
        let sum = 0;
        for (let k = 0; k < sidewards.length; k++) sum += sidewards[k] * ink[line + first + k];
        small[r * wide + c] += share * sum;
      });
    });
  });
  let [mass, down, along] = [0, 0, 0];
  for (let r = 0; r < high; r++) {
    for (let c = 0; c < wide; c++) {
      const value = small[r * wide + c];
      mass += value;
      down += value * r;
      along += value * c;
    }
  }
  const row = placeOfInk(down / mass, high, height);
  const column = placeOfInk(along / mass, wide, width);
  for (let r = 0; r < high; r++) {
    for (let c = 0; c < wide; c++) {
      const value = Math.min(1, Math.max(0, small[r * wide + c]));
      picture[(row + r) * width + column + c] = value;
    }
  }
  return picture;
}
