/** What the points' colours mean: a code for each point, a colour for each code. */

/** Colourings by name, with the words of the menu and what each needs. */
export const COLOURINGS = {
  label: { title: "Label", needs: (store) => store.labels !== null },
  cluster: { title: "Cluster", needs: (store) => has(store, "clusters") },
  right: {
    title: "Right or wrong",
    needs: (store) => store.labels !== null && has(store, "clusters") && has(store, "matched"),
  },
  confidence: { title: "Confidence", needs: (store) => has(store, "confidence") },
  entropy: { title: "Entropy", needs: (store) => has(store, "entropy") },
  trust: { title: "Neighbours kept", needs: (store) => has(store, "trust") },
};

function has(store, name) {
  return store.frames.some((frame) => frame[name]);
}

/** Codes of the colouring by right and wrong. */
export const RIGHT_CODE = 0;
export const WRONG_CODE = 1;
const NOT_YET_CODE = 2;

/** Cluster, and code, of a point that has no cluster yet. */
export const NONE = 255;

/** @returns {[number, number, number]} */
export function rgb(hex) {
  return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
}

export class Colouring {
  /**
   * @param {string} name one of COLOURINGS
   * @param {import("./store.js").Store} store
   * @param {any} look  palette, ramp, right, wrong, unknown, textOn from the message's header
   */
  constructor(name, store, look) {
    this.name = name;
    this.store = store;
    this.look = look;
    /** @type {Map<object, Uint8Array>} */
    this.codes = new Map();
    /** RGBA of the 256 codes. */
    this.palette = new Uint8Array(1024).fill(255);
    for (let code = 0; code < 256; code++) this.palette.set(rgb(this.colour(code)), 4 * code);
  }

  /** Whether codes are kinds of things rather than amounts. */
  get isCategorical() {
    return !["confidence", "entropy", "trust"].includes(this.name);
  }

  /** Hex colour of a code. */
  colour(code) {
    const { palette, ramp, right, wrong, unknown } = this.look;
    if (this.name === "right") return [right, wrong][code] ?? unknown;
    if (this.isCategorical) return code === NONE ? unknown : palette[code % palette.length];
    // Doubt is orange in both: high entropy and low confidence.
    const sure = this.name === "entropy" ? 1 - code / 255 : code / 255;
    const at = sure * (ramp.length - 1);
    const i = Math.min(Math.floor(at), ramp.length - 2);
    const [a, b] = [rgb(ramp[i]), rgb(ramp[i + 1])];
    const mixed = a.map((v, c) => Math.round(v + (b[c] - v) * (at - i)));
    return `#${mixed.map((v) => v.toString(16).padStart(2, "0")).join("")}`;
  }

  /** Black or white, to be read on the colour of a code. */
  textOn(code) {
    return this.look.textOn[code % this.look.textOn.length];
  }

  /** Code of a cluster: its class's, or one after the classes if it has none. */
  clusterCode(frame, cluster) {
    if (cluster === NONE) return NONE;
    const matched = frame.matched?.[cluster] ?? -1;
    return matched >= 0 ? matched : (this.store.classNames.length + cluster) % NONE;
  }

  /** What a cluster is called: as its class, else by its number, such as c9. */
  clusterName(frame, cluster) {
    const matched = frame.matched?.[cluster] ?? -1;
    return matched >= 0 ? (this.store.classNames[matched] ?? String(matched)) : `c${cluster}`;
  }

  /** Codes of all points in a frame. */
  codesOf(frame) {
    let codes = this.codes.get(frame);
    if (!codes) {
      codes = this.#work(frame);
      this.codes.set(frame, codes);
    }
    return codes;
  }

  #work(frame) {
    const { labels, n } = this.store;
    const empty = () => new Uint8Array(n);
    if (this.name === "label") return labels ?? empty();
    if (this.name === "confidence") return frame.confidence ?? empty();
    if (this.name === "entropy") return frame.entropy ?? empty();
    if (this.name === "trust") return frame.trust ?? empty();
    const { clusters } = frame;
    if (!clusters) return empty();
    if (this.name === "cluster") {
      const codeOf = Uint8Array.from({ length: 256 }, (_, c) => this.clusterCode(frame, c));
      return clusters.map((c) => codeOf[c]);
    }
    return clusters.map((c, i) => {
      if (c === NONE) return NOT_YET_CODE;
      return frame.matched?.[c] === labels[i] ? RIGHT_CODE : WRONG_CODE;
    });
  }

  /** Forgets frames that are no longer held. */
  retain(frames) {
    const held = new Set(frames);
    for (const frame of this.codes.keys()) if (!held.has(frame)) this.codes.delete(frame);
  }

  /**
   * What the legend lists for a frame.
   * @returns {{code: number, name: string, title: string, count: number}[]}
   */
  legend(frame) {
    const counts = new Uint32Array(256);
    for (const code of this.codesOf(frame)) counts[code]++;
    const { classNames, nClusters } = this.store;
    const entry = (code, name, title) => ({ code, name, title, count: counts[code] });
    if (this.name === "right") {
      return [entry(RIGHT_CODE, "right", "The cluster's class is the point's own"),
        entry(WRONG_CODE, "wrong", "The cluster's class is another"),
        entry(NOT_YET_CODE, "no cluster yet", "There are no clusters yet"),
      ].filter((e) => e.count || e.code !== NOT_YET_CODE);
    }
    const byClass = classNames.map((name, c) => entry(c, name, name));
    if (this.name === "label") return byClass;
    if (counts[NONE] === this.store.n) return [entry(NONE, "none yet", "There are no clusters yet")];
    const ofClass = new Map();
    const unmatched = [];
    for (let k = 0; k < nClusters; k++) {
      const code = this.clusterCode(frame, k);
      if (code < classNames.length) ofClass.set(code, [...(ofClass.get(code) ?? []), k]);
      else unmatched.push(entry(code, `c${k}`, `c${k}: cluster number ${k}, matched with no class`));
    }
    const matched = byClass.filter((e) => ofClass.has(e.code)).map((e) => ({
      ...e,
      title: `${e.name}: cluster number ${ofClass.get(e.code).join(" and ")}`,
    }));
    return matched.concat(unmatched);
  }
}
