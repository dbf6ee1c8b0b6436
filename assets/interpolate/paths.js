/** Ways through latent space; vade_core/latent_paths.py works out the same in Python. */

/** Below this sine of the angle between two directions the arc between them is not defined. */
const LEAST_SINE = 1e-3;
/** Steps at which a straight way is asked which cluster it is in. */
const SIGHTINGS = 201;

/** Ways from A to B by name, with what people call them. */
export const WAYS = { straight: "Straight", sphere: "Spherical", means: "Through means" };

/** The straight line: latents at the shares `at` of the way, one after the other. */
export function straightWay(a, b, at) {
  const dim = a.length;
  const z = new Float32Array(at.length * dim);
  for (let i = 0; i < at.length; i++) {
    for (let j = 0; j < dim; j++) z[i * dim + j] = a[j] + at[i] * (b[j] - a[j]);
  }
  return z;
}

/** The arc around the origin: direction and length change evenly (slerp). */
export function sphericalWay(a, b, at) {
  const dim = a.length;
  const [one, other] = [Math.hypot(...a), Math.hypot(...b)];
  if (Math.min(one, other) < 1e-9) return straightWay(a, b, at);
  let cosine = 0;
  for (let j = 0; j < dim; j++) cosine += (a[j] / one) * (b[j] / other);
  const angle = Math.acos(Math.min(1, Math.max(-1, cosine)));
  const sine = Math.sin(angle);
  if (sine < LEAST_SINE) return straightWay(a, b, at);
  const z = new Float32Array(at.length * dim);
  for (let i = 0; i < at.length; i++) {
    const length = (1 - at[i]) * one + at[i] * other;
    const p = (Math.sin((1 - at[i]) * angle) / sine / one) * length;
    const q = (Math.sin(at[i] * angle) / sine / other) * length;
    for (let j = 0; j < dim; j++) z[i * dim + j] = p * a[j] + q * b[j];
  }
  return z;
}

/** The polyline through corners at shares of its length. @param {ArrayLike<number>[]} corners */
export function polylineWay(corners, at) {
  const dim = corners[0].length;
  const ends = [0];
  for (let leg = 1; leg < corners.length; leg++) {
    const step = Array.from(corners[leg], (v, j) => v - corners[leg - 1][j]);
    ends.push(ends[leg - 1] + Math.hypot(...step));
  }
  const whole = ends[ends.length - 1];
  const z = new Float32Array(at.length * dim);
  for (let i = 0; i < at.length; i++) {
    const place = at[i] * whole;
    let leg = 1;
    while (leg < corners.length - 1 && ends[leg] <= place) leg++;
    const length = ends[leg] - ends[leg - 1];
    const share = length > 0 ? (place - ends[leg - 1]) / length : 0;
    for (let j = 0; j < dim; j++) {
      z[i * dim + j] = corners[leg - 1][j] + share * (corners[leg][j] - corners[leg - 1][j]);
    }
  }
  return z;
}

/** The most responsible cluster of each of n rows of k shares. */
export function likeliestClusters(shares, n, k) {
  const found = new Int32Array(n);
  for (let i = 0; i < n; i++) {
    for (let c = 1; c < k; c++) if (shares[i * k + c] > shares[i * k + found[i]]) found[i] = c;
  }
  return found;
}

/** Less than so much of p(c|z) is no clear share; of two clusters one always has half. */
const leastClear = (k) => (k === 2 ? 0.6 : 0.5);

/** The cluster that stands out in each of n rows of k shares; -1 where none does. */
export function clearClusters(shares, n, k) {
  return likeliestClusters(shares, n, k).map((c, i) => (shares[i * k + c] >= leastClear(k) ? c : -1));
}

/** Clusters that the straight line goes through, each once, in order. @returns {number[]} */
export function clustersBetween(a, b, mixture) {
  const z = straightWay(a, b, evenShares(SIGHTINGS));
  const { shares } = mixture.read(z, SIGHTINGS);
  return [...new Set(likeliestClusters(shares, SIGHTINGS, mixture.k))];
}

/** n shares from 0 to 1. */
export function evenShares(n) {
  return Float64Array.from({ length: n }, (_, i) => i / (n - 1));
}

/**
 * The way from A to B.
 * @param {"straight"|"sphere"|"means"} way
 * @param {import("./mixture.js").Mixture} mixture  the one that assigns clusters
 * @returns {{at: (shares: ArrayLike<number>) => Float32Array, through: number[]}}
 */
export function makeWay(a, b, way, mixture) {
  if (way === "sphere") return { at: (shares) => sphericalWay(a, b, shares), through: [] };
  if (way === "means") {
    const through = clustersBetween(a, b, mixture);
    const corners = [a, ...through.map((c) => mixture.mean(c)), b];
    return { at: (shares) => polylineWay(corners, shares), through };
  }
  return { at: (shares) => straightWay(a, b, shares), through: [] };
}

/** The bilinear grid between top left, top right, bottom left and bottom right, row by row. */
export function gridBetweenFour([topLeft, topRight, bottomLeft, bottomRight], side) {
  const dim = topLeft.length;
  const z = new Float32Array(side * side * dim);
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      const [v, u] = [row / (side - 1), column / (side - 1)];
      for (let j = 0; j < dim; j++) {
        const left = topLeft[j] + v * (bottomLeft[j] - topLeft[j]);
        const right = topRight[j] + v * (bottomRight[j] - topRight[j]);
        z[(row * side + column) * dim + j] = left + u * (right - left);
      }
    }
  }
  return z;
}
