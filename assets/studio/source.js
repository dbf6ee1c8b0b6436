/** Where the studio's samples come from: the run's networks in the browser, or the server. */
import { bytesOf, valuesOf } from "./picture.js";

/**
 * @typedef {object} Sample  the samples of a grid, row by row, in the order of their noise
 * @property {Float32Array} gamma  rows * count * k
 * @property {number} k
 * @property {number} count
 * @property {Float32Array} [z]  rows * count * J, where the browser decodes
 */

/** Samples that the browser decodes. */
export class LocalSource {
  constructor(networks) {
    this.networks = networks;
    this.decoding = new NewestDecode(networks);
    this.kind = networks.kind;
    this.shape = networks.imageShape;
    this.length = networks.nFeatures;
    const { means, logWeights } = networks.generating;
    this.means = networks.decode(means, logWeights.length);
  }

  /** Whether samples for some settings are there, or are made at once. */
  knows() {
    return true;
  }

  /**
   * @param {{count: number, temperature: number, seed: number}} settings
   * @param {number} rows
   * @param {boolean} own  whether each row is a cluster: then all have the same noise
   * @returns {Sample}
   */
  sample({ count, temperature, seed }, rows, own) {
    const { networks } = this;
    const dim = networks.latentDim;
    const { means, logVariances } = networks.generating;
    const noise = seededNormals(seed, own ? count : rows * count, dim);
    const z = new Float32Array(rows * count * dim);
    for (let r = 0; r < rows; r++) {
      const c = own ? r : 0;
      for (let i = 0; i < count; i++) {
        for (let j = 0; j < dim; j++) {
          const at = (own ? i : r * count + i) * dim + j;
          const spread = temperature * Math.exp(0.5 * logVariances[c * dim + j]);
          z[(r * count + i) * dim + j] = means[c * dim + j] + spread * noise[at];
        }
      }
    }
    return { z, gamma: networks.responsibilities(z, rows * count), k: networks.nClusters, count };
  }

  /**
   * Draws samples place by place, the first ones at once.
   * @param {Sample} sample
   * @param {number[]} places  which sample stands where
   * @param {(place: number, values: Float32Array, i: number) => void} draw  of place: sample i
   * @param {() => void} done
   */
  paint({ z }, places, draw, done) {
    const dim = this.networks.latentDim;
    const ordered = new Float32Array(z.length);
    places.forEach((from, p) => ordered.set(z.subarray(from * dim, (from + 1) * dim), p * dim));
    this.decoding.ask(ordered, places.length, (values, first, many) => {
      for (let i = 0; i < many; i++) draw(first + i, values, i);
    }, done);
  }

  /** Draws one sample. */
  one({ z }, at, draw) {
    const dim = this.networks.latentDim;
    draw(this.networks.decode(z.subarray(at * dim, (at + 1) * dim), 1), 0);
  }

  cancel() {
    this.decoding.cancel();
  }
}

/** Samples that the server decoded: there are some for the settings that it was told last. */
export class ServedSource {
  constructor(served) {
    this.kind = "server";
    this.take(served);
  }

  take(served) {
    this.for = served.for;
    this.shape = served.shape;
    this.length = served.samples.length;
    this.k = served.k;
    this.samples = valuesOf(served.samples);
    this.means = valuesOf(served.means);
    this.gamma = new Float32Array(bytesOf(served.gamma).buffer);
  }

  /** Not before the server has heard of the settings. */
  knows(settings) {
    return Object.entries(this.for).every(([name, value]) => (
      Math.abs(settings[name] - value) < 1e-6));
  }

  /** @returns {Sample} */
  sample() {
    return { gamma: this.gamma, k: this.k, count: this.for.count };
  }

  paint(sample, places, draw, done) {
    places.forEach((from, p) => draw(p, this.samples, from));
    done();
  }

  one(sample, at, draw) {
    draw(this.samples, at);
  }

  cancel() {}
}
