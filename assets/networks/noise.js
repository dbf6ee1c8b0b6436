/** Noise that Python draws alike: seeded_normals in vade_core/portable.py. */

/** Mixes 32 bits so that neighbouring numbers lead far apart; one to one. */
function mixedBits(value) {
  value ^= value >>> 16;
  value = Math.imul(value, 0x7feb352d);
  value ^= value >>> 15;
  value = Math.imul(value, 0x846ca68b);
  return (value ^ (value >>> 16)) >>> 0;
}

/**
 * Standard normal noise; value (i, j) depends on the seed, i and j alone.
 * @param {number} seed  a whole number of 0 or more; its lowest 32 bits count
 * @param {number} n  samples
 * @param {number} dim  dimensions
 * @returns {Float32Array} n * dim values
 */
export function seededNormals(seed, n, dim) {
  const noise = new Float32Array(n * dim);
  const start = mixedBits((seed >>> 0) ^ 0x9e3779b9);
  for (let i = 0; i < n; i++) {
    const row = mixedBits((start + i) | 0);
    for (let j = 0; j < dim; j++) {
      const place = mixedBits((row + j) | 0);
      // Half a step above 0: the logarithm of the first must be finite.
      const first = (mixedBits(place ^ 0x85ebca6b) + 0.5) / 2 ** 32;
      const second = (mixedBits(place ^ 0xc2b2ae35) + 0.5) / 2 ** 32;
      noise[i * dim + j] = Math.sqrt(-2 * Math.log(first)) * Math.cos(2 * Math.PI * second);
    }
  }
  return noise;
}
