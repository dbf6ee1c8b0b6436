/** What the page knows: points with latents, places and pictures, clusters with names. */
import { Mixture } from "./mixture.js";
import { numbersOfText } from "./message.js";

/** Points that stand for what lives at a place between them. */
export const NEIGHBOURS = 8;

export class World {
  /** @param {{header: any, part: (name: string) => any}} message  of openMessage */
  constructor({ header, part }) {
    this.header = header;
    this.n = header.points;
    this.dim = header.latentDim;
    /** @type {[number, number]|null} height and width */
    this.shape = header.imageShape;
    this.nFeatures = header.nFeatures;
    this.latents = part("latents");
    this.places = part("places");
    /** @type {Int16Array|null} */
    this.labels = part("labels");
    /** @type {Int16Array|null} */
    this.clusters = part("clusters");
    /** @type {Uint8Array|null} */
    this.pictures = part("pictures");
    const mixture = (name) => new Mixture(
      part(`${name}.logWeights`), part(`${name}.means`), part(`${name}.logVariances`),
    );
    /** The mixture that assigns clusters; a VAE's is fitted to its latents. */
    this.assigning = mixture("assigning");
    /** The prior itself. */
    this.prior = mixture("prior");
    /** @type {{name: string, colour: string, ink: string}[]} */
    this.looks = header.clusters;
  }

  /** Name of a cluster as the map's legend has it. */
  clusterName(c) {
    return this.looks[c].name;
  }

  /**
   * The latent that a code stands for: p12 is a point, c3 a cluster's mean, z... numbers.
   * @returns {Float32Array|null}
   */
  latent(code) {
    const number = Number(code.slice(1));
    if (code[0] === "p" && number < this.n) return this.latentOfPoint(number);
    if (code[0] === "c" && number < this.assigning.k) return this.assigning.mean(number);
    const found = code[0] === "z" ? numbersOfText(code.slice(1)) : null;
    return found?.length === this.dim ? found : null;
  }

  latentOfPoint(i) {
    return this.latents.subarray(i * this.dim, (i + 1) * this.dim);
  }

  /** What a code stands for, in words. */
  words(code) {
    if (code[0] === "c") return `mean of ${this.clusterName(Number(code.slice(1)))}`;
    if (code[0] === "z") return "a place of your own";
    const i = Number(code.slice(1));
    if (!this.labels) return `point ${i}`;
    return `a real ${this.header.classNames[this.labels[i]]}`;
  }

  /** Grey levels in [0, 1] of a real picture; null for everything else. */
  realPicture(code) {
    if (code[0] !== "p" || !this.pictures) return null;
    const size = this.nFeatures;
    const start = Number(code.slice(1)) * size;
    return Float32Array.from(this.pictures.subarray(start, start + size), (v) => v / 255);
  }

  /** Colour of a point: its label's, or its cluster's where there are no labels. */
  colourOfPoint(i) {
    const { palette, unknown } = this.header;
    if (this.labels) return palette[this.labels[i] % palette.length];
    const c = this.clusters?.[i] ?? -1;
    return c < 0 ? unknown : this.looks[c].colour;
  }

  /** The k points nearest to a place and the weight of each, by `table` of `dim` numbers a point. */
  #nearest(table, dim, x, k = NEIGHBOURS) {
    const best = [];
    for (let i = 0; i < this.n; i++) {
      let distance = 0;
      for (let j = 0; j < dim; j++) distance += (table[i * dim + j] - x[j]) ** 2;
      if (best.length === k && distance >= best[k - 1].distance) continue;
      let at = best.length < k ? best.length : k - 1;
      while (at > 0 && best[at - 1].distance > distance) {
        best[at] = best[at - 1];
        at--;
      }
      best[at] = { i, distance };
    }
    // Inverse distances: a point that is hit counts alone, and nothing jumps between points.
    const floor = 1e-12 + 1e-3 * (best[best.length - 1]?.distance ?? 0);
    let sum = 0;
    for (const found of best) {
      found.weight = 1 / (found.distance + floor);
      sum += found.weight;
    }
    for (const found of best) found.weight /= sum;
    return best;
  }

  /** Points nearest to a latent. */
  nearestToLatent(z, k = NEIGHBOURS) {
    return this.#nearest(this.latents, this.dim, z, k);
  }

  /** Where a latent lies on the map: amid its nearest points. @returns {[number, number]} */
  placeOf(z) {
    if (this.header.isPlane) return [z[0], z[1]];
    let [x, y] = [0, 0];
    for (const { i, weight } of this.nearestToLatent(z)) {
      x += weight * this.places[2 * i];
      y += weight * this.places[2 * i + 1];
    }
    return [x, y];
  }

  /** The latent that lives at a place of the map: that of the nearest points, weighted. */
  latentAt(x, y) {
    if (this.header.isPlane) return Float32Array.of(x, y);
    const z = new Float32Array(this.dim);
    for (const { i, weight } of this.#nearest(this.places, 2, [x, y])) {
      for (let j = 0; j < this.dim; j++) z[j] += weight * this.latents[i * this.dim + j];
    }
    return z;
  }

  /** Lowest and highest of all latents in a dimension. */
  rangeOf(j) {
    let [low, high] = [Infinity, -Infinity];
    for (let i = 0; i < this.n; i++) {
      const value = this.latents[i * this.dim + j];
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
    return [low, high];
  }
}
