/** What the lesson's formulas say, as code. */

/**
 * Draws from q(z|x): z = mu + factor * sigma * epsilon.
 * @param {Float32Array} mean  mu, J
 * @param {Float32Array} logVariance  log sigma^2, J
 * @param {number} factor
 * @param {Float32Array} noise  epsilon, n * J
 * @returns {Float32Array} n * J
 */
export function posteriorDraws(mean, logVariance, factor, noise) {
  const dim = mean.length;
  return noise.map((epsilon, at) => {
    const j = at % dim;
    return mean[j] + factor * Math.exp(0.5 * logVariance[j]) * epsilon;
  });
}

/**
 * Draws from p(z|c) for every cluster, all of the same noise: z = mu_c + factor * sigma_c * epsilon.
 * @param {{means: Float32Array, logVariances: Float32Array, dim: number, k: number}} mixture
 * @param {number} factor
 * @param {Float32Array} noise  n * J
 * @returns {Float32Array} K * n * J
 */
export function hillDraws({ means, logVariances, dim, k }, factor, noise) {
  const found = new Float32Array(k * noise.length);
  for (let c = 0; c < k; c++) {
    const of = (values) => values.subarray(c * dim, (c + 1) * dim);
    found.set(posteriorDraws(of(means), of(logVariances), factor, noise), c * noise.length);
  }
  return found;
}

/** A latent of which some numbers are shut off, that is 0: the prior's mean. */
export function shutOff(latent, on) {
  return latent.map((value, j) => (on[j] ? value : 0));
}

/** Latents on the straight way from a to b, at shares of it. */
export function straightWay(a, b, shares) {
  const dim = a.length;
  const found = new Float32Array(shares.length * dim);
  shares.forEach((t, i) => {
    for (let j = 0; j < dim; j++) found[i * dim + j] = (1 - t) * a[j] + t * b[j];
  });
  return found;
}

/** Of n rows of k shares, where the largest becomes another one: shares of the way. */
export function changesOfMind(shares, n, k) {
  const found = [];
  let before = -1;
  for (let i = 0; i < n; i++) {
    let best = 0;
    for (let c = 1; c < k; c++) if (shares[i * k + c] > shares[i * k + best]) best = c;
    if (before >= 0 && best !== before) found.push((i - 0.5) / (n - 1));
    before = best;
  }
  return found;
}
