/** A mixture of Gaussians with diagonal covariances, as vade_core/mixture.py has it. */

/** Of the weight that each component would have, were they equal. */
const LEAST_WEIGHT = 0.1;

export class Mixture {
  /**
   * @param {Float32Array} logWeights  log pi, K
   * @param {Float32Array} means  K * J
   * @param {Float32Array} logVariances  K * J
   */
  constructor(logWeights, means, logVariances) {
    Object.assign(this, { logWeights, means, logVariances });
    this.k = logWeights.length;
    this.dim = means.length / this.k;
    this.precisions = Float64Array.from(logVariances, (v) => Math.exp(-v));
    /** A component of hardly any weight is no place where the mixture has its mass. */
    this.counts = Array.from(logWeights, (weight) => Math.exp(weight) * this.k >= LEAST_WEIGHT);
    this.constants = Float64Array.from(logWeights, (weight, c) => {
      let sum = this.dim * Math.log(2 * Math.PI);
      for (let j = 0; j < this.dim; j++) sum += logVariances[c * this.dim + j];
      return weight - 0.5 * sum;
    });
  }

  /**
   * log pi_c + log N(z; mu_c, sigma_c^2) of one latent, in nats.
   * @returns {number}  its squared distance from the nearest mean, in standard deviations
   */
  #joint(z, offset, found) {
    const { k, dim, means, precisions, counts } = this;
    let nearest = Infinity;
    for (let c = 0; c < k; c++) {
      let distance = 0;
      for (let j = 0; j < dim; j++) {
        distance += (z[offset + j] - means[c * dim + j]) ** 2 * precisions[c * dim + j];
      }
      found[c] = this.constants[c] - 0.5 * distance;
      if (counts[c]) nearest = Math.min(nearest, distance);
    }
    return nearest;
  }

  /**
   * gamma = p(c|z) and log p(z) in nats of n latents, and how far out they lie: the squared
   * distance from the nearest mean, in standard deviations.
   * @returns {{shares: Float32Array, logDensity: Float32Array, distances: Float32Array}}
   *   n * K, n and n
   */
  read(z, n) {
    const { k, dim } = this;
    const shares = new Float32Array(n * k);
    const logDensity = new Float32Array(n);
    const distances = new Float32Array(n);
    const joint = new Float64Array(k);
    for (let i = 0; i < n; i++) {
      distances[i] = this.#joint(z, i * dim, joint);
      const top = joint.reduce((a, b) => Math.max(a, b), -Infinity);
      let sum = 0;
      for (let c = 0; c < k; c++) sum += Math.exp(joint[c] - top);
      for (let c = 0; c < k; c++) shares[i * k + c] = Math.exp(joint[c] - top) / sum;
      logDensity[i] = top + Math.log(sum);
    }
    return { shares, logDensity, distances };
  }

  /** Mean of cluster c. */
  mean(c) {
    return this.means.subarray(c * this.dim, (c + 1) * this.dim);
  }

  /** Mean and standard deviation of dimension j over all components. */
  spread(j) {
    const { k, dim, logWeights, means, logVariances } = this;
    let [mean, square] = [0, 0];
    for (let c = 0; c < k; c++) {
      const [weight, mu] = [Math.exp(logWeights[c]), means[c * dim + j]];
      mean += weight * mu;
      square += weight * (mu * mu + Math.exp(logVariances[c * dim + j]));
    }
    return { mean, sd: Math.sqrt(Math.max(0, square - mean * mean)) };
  }

  /** The value of dimension j below which a share of the mixture lies. */
  quantile(j, share) {
    const { k, dim, logWeights, means, logVariances } = this;
    let [low, high] = [Infinity, -Infinity];
    for (let c = 0; c < k; c++) {
      const sd = Math.exp(0.5 * logVariances[c * dim + j]);
      low = Math.min(low, means[c * dim + j] - 9 * sd);
      high = Math.max(high, means[c * dim + j] + 9 * sd);
    }
    for (let step = 0; step < 60; step++) {
      const middle = (low + high) / 2;
      let below = 0;
      for (let c = 0; c < k; c++) {
        const sd = Math.exp(0.5 * logVariances[c * dim + j]);
        below += Math.exp(logWeights[c]) * normalBelow((middle - means[c * dim + j]) / sd);
      }
      if (below < share) low = middle;
      else high = middle;
    }
    return (low + high) / 2;
  }
}

/**
 * The share of a standard normal below x, to 1e-9, by a series near 0 and a continued fraction
 * far from it (Abramowitz and Stegun, 26.2.10 and 26.2.14).
 */
export function normalBelow(x) {
  const density = Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
  if (Math.abs(x) < 3.5) {
    let [term, sum] = [x, x];
    for (let n = 1; n < 80; n++) {
      term *= (x * x) / (2 * n + 1);
      sum += term;
    }
    return 0.5 + density * sum;
  }
  const far = Math.abs(x);
  let fraction = 0;
  for (let n = 40; n > 0; n--) fraction = n / (far + fraction);
  const above = density / (far + fraction);
  return x > 0 ? 1 - above : above;
}
