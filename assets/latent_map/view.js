/** Where things are: the camera, points between two frames, and what lies in a shape. */
import { LEVELS } from "./store.js";

/** @typedef {{left: number, right: number, top: number, bottom: number}} Margins */

/** Maps the map's own units to CSS pixels; y grows upwards in the map. */
export class Camera {
  constructor() {
    this.cx = 0;
    this.cy = 0;
    /** CSS pixels a unit. */
    this.scale = 1;
    this.width = 1;
    this.height = 1;
    /** Whether the whole map is in view and nobody has moved it. */
    this.atHome = true;
    this.homeScale = 1;
  }

  /** The place from which the whole of a box is seen. */
  homeFor(bounds, /** @type {Margins} */ margins) {
    const [left, bottom, w, h] = bounds;
    const freeWidth = Math.max(40, this.width - margins.left - margins.right);
    const freeHeight = Math.max(40, this.height - margins.top - margins.bottom);
    const scale = Math.min(freeWidth / (w || 1), freeHeight / (h || 1));
    const shiftX = (margins.left - margins.right) / 2;
    const shiftY = (margins.top - margins.bottom) / 2;
    return { cx: left + w / 2 - shiftX / scale, cy: bottom + h / 2 + shiftY / scale, scale };
  }

  /**
   * Goes a part of the way to a place.
   * @returns {boolean} whether it has arrived
   */
  approach(place, share) {
    const near = Math.abs(place.scale / this.scale - 1) < 0.002
      && Math.hypot(place.cx - this.cx, place.cy - this.cy) * this.scale < 0.5;
    const part = near ? 1 : share;
    this.scale *= (place.scale / this.scale) ** part;
    this.cx += (place.cx - this.cx) * part;
    this.cy += (place.cy - this.cy) * part;
    return near || share >= 1;
  }

  toScreen(x, y) {
    return [
      (x - this.cx) * this.scale + this.width / 2,
      this.height / 2 - (y - this.cy) * this.scale,
    ];
  }

  toMap(px, py) {
    return [
      (px - this.width / 2) / this.scale + this.cx,
      (this.height / 2 - py) / this.scale + this.cy,
    ];
  }

  zoomAt(px, py, factor) {
    const [x, y] = this.toMap(px, py);
    const wanted = this.scale * factor;
    this.scale = Math.min(Math.max(wanted, this.homeScale * 0.4), this.homeScale * 150);
    this.cx = x - (px - this.width / 2) / this.scale;
    this.cy = y - (this.height / 2 - py) / this.scale;
    this.atHome = false;
  }

  pan(dx, dy) {
    this.cx -= dx / this.scale;
    this.cy += dy / this.scale;
    this.atHome = false;
  }

  /** How much closer than home, 1 at home. */
  get zoom() {
    return this.scale / this.homeScale;
  }
}

/**
 * Place of one point of a frame in the map's units.
 * @param {import("./store.js").Frame} frame
 */
export function placeIn({ box, positions }, i) {
  return [
    box[0] + (positions[2 * i] / LEVELS) * box[2],
    box[1] + (positions[2 * i + 1] / LEVELS) * box[3],
  ];
}

/** Two neighbouring frames and how far the way from one to the other has gone. */
export class Moment {
  /**
   * @param {import("./store.js").Frame} from
   * @param {import("./store.js").Frame} to
   * @param {number} t 0 at `from`, 1 at `to`
   */
  constructor(from, to, t) {
    this.from = from;
    this.to = to;
    this.t = t;
  }

  /** The frame that is closer. */
  get nearest() {
    return this.t < 0.5 ? this.from : this.to;
  }

  /** Place of one point in the map's units. */
  place(i) {
    const { from, to, t } = this;
    const [x0, y0] = placeIn(from, i);
    if (t === 0) return [x0, y0];
    const [x1, y1] = placeIn(to, i);
    return [x0 + (x1 - x0) * t, y0 + (y1 - y0) * t];
  }

  /** A number between those of the two frames; the one that exists if the other does not. */
  between(name, i) {
    const a = this.from[name]?.[i] ?? null;
    const b = this.to[name]?.[i] ?? null;
    if (a === null || b === null) return this.nearest[name]?.[i] ?? null;
    return a + (b - a) * this.t;
  }
}

/**
 * The moment that a place in time stands for: 3.25 is a quarter of the way from 3 to 4.
 * @param {import("./store.js").Frame[]} frames
 */
export function momentAt(frames, position) {
  const last = frames.length - 1;
  const i = Math.min(Math.floor(position), last);
  const rest = Math.min(Math.max(position - i, 0), 1);
  return new Moment(frames[i], frames[Math.min(i + 1, last)], rest * rest * (3 - 2 * rest));
}

/**
 * The point nearest to a place on the screen.
 * @param {(i: number) => boolean} counts  whether a point may be found
 * @returns {number} -1 if none is within reach
 */
export function nearestPoint(moment, camera, n, px, py, reach, counts) {
  const [x, y] = camera.toMap(px, py);
  const limit = reach / camera.scale;
  let best = -1;
  let least = limit * limit;
  for (let i = 0; i < n; i++) {
    const [a, b] = moment.place(i);
    const d = (a - x) * (a - x) + (b - y) * (b - y);
    if (d <= least && counts(i)) {
      least = d;
      best = i;
    }
  }
  return best;
}

/**
 * The points inside a shape drawn on the screen.
 * @param {number[][]} outline  corners in CSS pixels
 * @returns {number[]}
 */
export function pointsInside(moment, camera, n, outline, counts) {
  const corners = outline.map(([px, py]) => camera.toMap(px, py));
  const xs = corners.map((c) => c[0]);
  const ys = corners.map((c) => c[1]);
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  const [bottom, top] = [Math.min(...ys), Math.max(...ys)];
  const found = [];
  for (let i = 0; i < n; i++) {
    const [x, y] = moment.place(i);
    if (x < left || x > right || y < bottom || y > top || !counts(i)) continue;
    if (isInside(x, y, corners)) found.push(i);
  }
  return found;
}

/** Even-odd rule. */
export function isInside(x, y, corners) {
  let inside = false;
  for (let i = 0, j = corners.length - 1; i < corners.length; j = i++) {
    const [x0, y0] = corners[i];
    const [x1, y1] = corners[j];
    if (y0 > y !== y1 > y && x < ((x1 - x0) * (y - y0)) / (y1 - y0) + x0) inside = !inside;
  }
  return inside;
}
