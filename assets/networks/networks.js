/** A model's networks in the browser: unpacked once, then decoded and encoded with here. */
import { makeKernels, PANEL, WIDE } from "./kernel.js";

/** Samples that go through all layers together: their activations stay in the cache. */
const TOGETHER = 40;

/** The value of each of the 65,536 half-precision numbers. */
function halfValues() {
  const values = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
    const size = exponent === 0 ? fraction * 2 ** -24
      : exponent === 31 ? (fraction ? NaN : Infinity)
        : (1 + fraction / 1024) * 2 ** (exponent - 15);
    values[bits] = bits & 0x8000 ? -size : size;
  }
  return values;
}

const paddedWidth = (width) => Math.ceil(width / PANEL) * PANEL;

/**
 * Fully connected layers with ReLU between them, in a memory of their own.
 */
class Layers {
  /**
   * @param {number[]} widths  from input to output
   * @param {(name: string) => Uint16Array} part  of half-precision numbers
   * @param {string} name  decoder or encoder
   * @param {Float32Array} halves  of halfValues
   * @param {boolean} plain
   */
  constructor(widths, part, name, halves, plain) {
    this.widths = widths;
    let size = 0;
    this.layers = widths.slice(1).map((outputs, i) => {
      const layer = { inputs: widths[i], outputs, padded: paddedWidth(outputs), weight: size };
      size += layer.padded * layer.inputs;
      layer.bias = size;
      size += layer.padded;
      return layer;
    });
    const widest = Math.max(...widths.map(paddedWidth));
    this.buffers = [size, size + widest * TOGETHER];
    this.kernels = makeKernels(4 * (size + 2 * widest * TOGETHER), plain);
    this.layers.forEach((layer, i) => {
      this.#place(layer, part(`${name}.${i}.weight`), part(`${name}.${i}.bias`), halves);
    });
  }

  #place({ inputs, outputs, weight, bias }, weights, biases, halves) {
    const { floats } = this.kernels;
    for (let o = 0; o < outputs; o++) {
      floats[bias + o] = halves[biases[o]];
      let to = weight + (o - (o % PANEL)) * inputs + (o % PANEL);
      for (let i = o * inputs; i < (o + 1) * inputs; i++, to += PANEL) {
        floats[to] = halves[weights[i]];
      }
    }
  }

  /** Sends n rows through all layers: n * (last width) values. */
  run(rows, n) {
    const { widths } = this;
    const [inputs, outputs] = [widths[0], widths[widths.length - 1]];
    if (rows.length < n * inputs) {
      throw new RangeError(`${n} rows of ${inputs} values are needed, not ${rows.length} values.`);
    }
    const found = new Float32Array(n * outputs);
    for (let first = 0; first < n; first += TOGETHER) {
      this.#together(rows, first, Math.min(TOGETHER, n - first), found);
    }
    return found;
  }

  #together(rows, first, count, found) {
    const { widths, buffers, kernels: { floats, one, wide } } = this;
    const inputs = widths[0];
    floats.set(rows.subarray(first * inputs, (first + count) * inputs), buffers[0]);
    let stride = 4 * inputs;
    this.layers.forEach((layer, l) => {
      const [from, to] = [4 * buffers[l % 2], 4 * buffers[(l + 1) % 2]];
      const floor = l < this.layers.length - 1 ? 0 : -Infinity;
      const next = 4 * layer.padded;
      const panel = 4 * PANEL * layer.inputs;
      for (let p = 0; p < layer.padded / PANEL; p++) {
        const w = 4 * layer.weight + p * panel;
        const b = 4 * (layer.bias + p * PANEL);
        const y = to + 4 * p * PANEL;
        let s = 0;
        for (; s + WIDE <= count; s += WIDE) {
          wide(from + s * stride, stride, w, b, y + s * next, next, w + panel, floor);
        }
        for (; s < count; s++) {
          one(from + s * stride, stride, w, b, y + s * next, next, w + panel, floor);
        }
      }
      stride = next;
    });
    const outputs = widths[widths.length - 1];
    const place = buffers[this.layers.length % 2];
    for (let s = 0; s < count; s++) {
      const at = place + s * (stride / 4);
      found.set(floats.subarray(at, at + outputs), (first + s) * outputs);
    }
  }
}

/** log pi_c + log N(z; mu_c, sigma_c^2) of n latents, n * K values, in nats. */
function jointLogDensities(mixture, z, n) {
  const { logWeights, means, logVariances } = mixture;
  const k = logWeights.length;
  const dim = means.length / k;
  const found = new Float64Array(n * k);
  for (let c = 0; c < k; c++) {
    let constant = dim * Math.log(2 * Math.PI);
    const precision = new Float64Array(dim);
    for (let j = 0; j < dim; j++) {
      constant += logVariances[c * dim + j];
      precision[j] = Math.exp(-logVariances[c * dim + j]);
    }
    for (let i = 0; i < n; i++) {
      let distance = 0;
      for (let j = 0; j < dim; j++) {
        distance += (z[i * dim + j] - means[c * dim + j]) ** 2 * precision[j];
      }
      found[i * k + c] = logWeights[c] - 0.5 * (distance + constant);
    }
  }
  return found;
}

/** Of n rows of k logarithms, the logarithm of the sum of each. */
function logSums(logs, n, k) {
  const found = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    let top = -Infinity;
    for (let c = 0; c < k; c++) top = Math.max(top, logs[i * k + c]);
    let sum = 0;
    for (let c = 0; c < k; c++) sum += Math.exp(logs[i * k + c] - top);
    found[i] = top + Math.log(sum);
  }
  return found;
}

/** A model's decoder, its prior and, where it was packed, its encoder. */
export class Networks {
  /**
   * @param {Uint8Array} message  of pack_networks in vade_core/portable.py
   * @param {{plain?: boolean}} options  plain: without WebAssembly
   */
  constructor(message, { plain = false } = {}) {
    const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
    const magic = String.fromCharCode(...message.subarray(0, 4));
    if (magic !== "VNET" || view.getUint32(4, true) !== 1) {
      throw new Error("The networks have an unknown format. Reload the page.");
    }
    const length = view.getUint32(8, true);
    const header = JSON.parse(new TextDecoder().decode(message.subarray(12, 12 + length)));
    const part = (name) => {
      const [offset, count, kind] = header.parts[name];
      const start = message.byteOffset + 12 + length + offset;
      const bytes = kind === "f2" ? 2 : 4;
      // A copy where the message does not begin at a multiple of the number's size.
      const [buffer, at] = start % bytes
        ? [message.buffer.slice(start, start + bytes * count), 0] : [message.buffer, start];
      return kind === "f2" ? new Uint16Array(buffer, at, count) : new Float32Array(buffer, at, count);
    };
    const mixture = (name) => ({
      logWeights: part(`${name}.logWeights`).slice(),
      means: part(`${name}.means`).slice(),
      logVariances: part(`${name}.logVariances`).slice(),
    });
    this.digest = header.digest;
    this.latentDim = header.latentDim;
    this.nFeatures = header.nFeatures;
    this.nClusters = header.nClusters;
    /** Whether samples can be asked for by cluster. */
    this.ownClusters = header.ownClusters;
    /** @type {[number, number]|null} height and width */
    this.imageShape = header.imageShape;
    /** @type {"bernoulli"|"gaussian"} */
    this.observation = header.observation;
    this.bound = header.logVarianceBound;
    /** The mixture that assigns clusters; a VAE's is fitted to its latents afterwards. */
    this.prior = mixture("prior");
    /** What samples are drawn from; a VAE's is one standard normal. */
    this.generating = mixture("generating");
    const halves = halfValues();
    this.decoder = new Layers(header.decoder, part, "decoder", halves, plain);
    this.encoder = header.encoder && new Layers(header.encoder, part, "encoder", halves, plain);
    this.kind = this.decoder.kernels.kind;
  }

  /** Means of p(x|z) of n latents: n * D values, grey levels in [0, 1] for the Bernoulli. */
  decode(z, n) {
    const found = this.decoder.run(z, n);
    if (this.observation === "bernoulli") {
      for (let i = 0; i < found.length; i++) found[i] = 1 / (1 + Math.exp(-found[i]));
    }
    return found;
  }

  /** Mean and log-variance of q(z|x) of n samples, n * J values each. */
  encode(x, n) {
    if (!this.encoder) throw new Error("These networks were packed without their encoder.");
    const { latentDim: dim, bound } = this;
    const both = this.encoder.run(x, n);
    const [mean, logVariance] = [new Float32Array(n * dim), new Float32Array(n * dim)];
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < dim; j++) {
        mean[i * dim + j] = both[2 * i * dim + j];
        logVariance[i * dim + j] = bound * Math.tanh(both[(2 * i + 1) * dim + j] / bound);
      }
    }
    return { mean, logVariance };
  }

  /** gamma = p(c|z) of n latents, n * K values (VaDE paper, eq. 16). */
  responsibilities(z, n) {
    const k = this.nClusters;
    const logs = jointLogDensities(this.prior, z, n);
    const sums = logSums(logs, n, k);
    return Float32Array.from(logs, (value, at) => Math.exp(value - sums[Math.floor(at / k)]));
  }

  /** log p(z) of n latents under the mixture that assigns, in nats. */
  logPrior(z, n) {
    return Float32Array.from(logSums(jointLogDensities(this.prior, z, n), n, this.nClusters));
  }

  /** log p(z) of n latents under the prior that samples are drawn from, in nats. */
  logGeneratingPrior(z, n) {
    const k = this.generating.logWeights.length;
    return Float32Array.from(logSums(jointLogDensities(this.generating, z, n), n, k));
  }
}
