/**
 * The frames that the map holds, and how messages from the server add to them.
 * The message's layout is written down in pages/shared/map_frames.py.
 */

/**
 * @typedef {object} Frame
 * @property {string} title
 * @property {string} phase
 * @property {number|null} accuracy
 * @property {number|null} recall
 * @property {number|null} reshuffled  share of the points that changed their class or cluster
 * @property {number[]} box  left, bottom, width, height in the map's own units
 * @property {number[]|null} matched  class of each cluster, -1 for none
 * @property {(number|null)[]|null} means  x, y of each cluster in turn
 * @property {(number|null)[]|null} ellipses  xx, xy, yx, yy of each cluster in turn
 * @property {Uint16Array} positions  x, y of each point as steps over the box
 * @property {Uint8Array|null} clusters
 * @property {Uint8Array|null} confidence
 * @property {Uint8Array|null} entropy
 * @property {Uint8Array|null} trust  share of its neighbours that each point kept
 * @property {Uint8Array|null} shares  responsibilities, K of each point in turn
 */

export const LEVELS = 65535;

/**
 * Takes a message apart.
 * @param {Uint8Array} message
 * @returns {{header: any, part: (name: string) => Uint8Array|null}}
 */
export function decode(message) {
  // A copy starts on an aligned address, which 16-bit views need.
  const bytes = message.slice();
  const view = new DataView(bytes.buffer);
  const magic = String.fromCharCode(...bytes.subarray(0, 4));
  if (magic !== "VMAP" || view.getUint32(4, true) !== 1) {
    throw new Error("The map's data have an unknown format. Reload the page.");
  }
  const length = view.getUint32(8, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(12, 12 + length)));
  const base = 8 * Math.ceil((12 + length) / 8);
  return {
    header,
    part(name) {
      const place = header.parts[name];
      return place ? bytes.subarray(base + place[0], base + place[0] + place[1]) : null;
    },
  };
}

export class Store {
  constructor() {
    /** @type {string|null} */
    this.run = null;
    /** @type {Frame[]} */
    this.frames = [];
    this.n = 0;
    this.total = 0;
    this.caption = "";
    /** @type {string[]} */
    this.classNames = [];
    /** @type {Uint8Array|null} */
    this.labels = null;
    /** @type {{bytes: Uint8Array, width: number, height: number}|null} */
    this.pictures = null;
    this.nClusters = 0;
  }

  /**
   * Adds what a message brings.
   * @param {Uint8Array} message
   * @returns {{outcome: "new run"|"frames"|"nothing"|"gap", header: any}} "gap" if frames are
   *   missing between those held and those brought: nothing is taken then.
   */
  accept(message) {
    const decoded = decode(message);
    const { header } = decoded;
    const isNew = header.run !== this.run;
    if (header.first > 0 && (isNew || header.first > this.frames.length)) {
      return { outcome: "gap", header };
    }
    const brought = this.#framesOf(decoded);
    const overlap = Math.min(brought.length, this.frames.length - header.first);
    let same = 0;
    if (!isNew) {
      while (same < overlap && sameFrame(this.frames[header.first + same], brought[same])) same++;
      if (header.first > 0 && same < overlap) return { outcome: "gap", header };
    }
    if (isNew) this.#startRun(decoded);
    const kept = isNew ? 0 : header.first + same;
    let changed = isNew || kept < this.frames.length || same < brought.length;
    // How far points can be trusted may come later than the frames themselves.
    for (let i = 0; i < same; i++) {
      const held = this.frames[header.first + i];
      if (held.trust || !brought[i].trust) continue;
      Object.assign(held, { trust: brought[i].trust, recall: brought[i].recall });
      changed = true;
    }
    this.frames = this.frames.slice(0, kept).concat(brought.slice(same));
    this.#count();
    const outcome = isNew ? "new run" : changed ? "frames" : "nothing";
    return { outcome, header };
  }

  #startRun({ header, part }) {
    this.run = header.run;
    this.frames = [];
    this.n = header.points;
    this.total = header.total;
    this.caption = header.caption;
    this.labels = part("labels")?.slice() ?? null;
    this.classNames = header.classNames?.slice() ?? [];
    const pictures = part("pictures");
    const shape = header.parts.pictures?.[2];
    this.pictures = pictures
      ? { bytes: pictures.slice(), height: shape[1], width: shape[2] }
      : null;
  }

  /** @returns {Frame[]} */
  #framesOf({ header, part }) {
    const n = header.points;
    const rows = (name, width) => {
      const bytes = part(name);
      return (i) => (bytes ? bytes.slice(i * width, (i + 1) * width) : null);
    };
    const positions = rows("positions", 4 * n);
    const clusters = rows("clusters", n);
    const confidence = rows("confidence", n);
    const entropy = rows("entropy", n);
    const trust = rows("trust", n);
    const k = header.parts.responsibilities?.[2].at(-1) ?? 0;
    const shares = rows("responsibilities", n * k);
    return header.frames.map((described, i) => ({
      recall: null,
      reshuffled: null,
      matched: null,
      means: null,
      ellipses: null,
      ...described,
      positions: new Uint16Array(positions(i).buffer),
      clusters: clusters(i),
      confidence: confidence(i),
      entropy: entropy(i),
      trust: trust(i),
      shares: k && header.first + i >= header.sharesFirst
        ? shares(header.first + i - header.sharesFirst)
        : null,
    }));
  }

  #count() {
    let clusters = 0;
    let classes = this.classNames.length;
    for (const frame of this.frames) {
      clusters = Math.max(clusters, frame.matched?.length ?? 0, (frame.means?.length ?? 0) / 2);
      if (frame.shares && this.n) clusters = Math.max(clusters, frame.shares.length / this.n);
      if (!frame.matched && frame.clusters) {
        for (const c of frame.clusters) if (c >= clusters && c < 255) clusters = c + 1;
      }
      for (const c of frame.matched ?? []) classes = Math.max(classes, c + 1);
    }
    for (const c of this.labels ?? []) if (c >= classes) classes = c + 1;
    this.nClusters = clusters;
    for (let c = this.classNames.length; c < classes; c++) this.classNames.push(String(c));
  }

  /** Box around every frame: left, bottom, width, height. */
  bounds() {
    let [left, bottom, right, top] = [Infinity, Infinity, -Infinity, -Infinity];
    for (const { box } of this.frames) {
      left = Math.min(left, box[0]);
      bottom = Math.min(bottom, box[1]);
      right = Math.max(right, box[0] + box[2]);
      top = Math.max(top, box[1] + box[3]);
    }
    return left <= right ? [left, bottom, right - left, top - bottom] : [0, 0, 1, 1];
  }

  /** Number of the frame of the highest ACC, the last of equals; -1 if there is no ACC. */
  best() {
    let best = -1;
    this.frames.forEach((frame, i) => {
      if (frame.accuracy === null) return;
      if (best < 0 || frame.accuracy >= this.frames[best].accuracy) best = i;
    });
    return best;
  }

  /** Number of the frame at which the most points changed sides; -1 if none did. */
  largestReshuffle() {
    let largest = -1;
    this.frames.forEach((frame, i) => {
      if (!frame.reshuffled) return;
      if (largest < 0 || frame.reshuffled > this.frames[largest].reshuffled) largest = i;
    });
    return largest;
  }
}

function sameFrame(a, b) {
  return a.title === b.title && a.accuracy === b.accuracy && sameNumbers(a.box, b.box)
    && sameNumbers(a.positions, b.positions) && sameNumbers(a.clusters, b.clusters);
}

function sameNumbers(a, b) {
  if (a === null || b === null) return a === b;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
