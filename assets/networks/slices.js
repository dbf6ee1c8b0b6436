/** Many samples at once without a page that stands still: decoded in slices between frames. */

/** What a slice may take, in milliseconds, before the page gets its turn. */
const SLICE_TIME = 10;
const SLICE_SAMPLES = 20;
/** So long, in milliseconds, a newer request lets the one before it go on. */
const PATIENCE = 150;

/**
 * Decodes what is asked for last. A request that is nearly done is finished first, so that a
 * slider that moves all the time still shows something.
 */
export class NewestDecode {
  /** @param {import("./networks.js").Networks} networks */
  constructor(networks) {
    this.networks = networks;
    this.current = null;
    this.pending = null;
    this.request = 0;
  }

  /**
   * @param {Float32Array} z  n * J latents
   * @param {number} n
   * @param {(values: Float32Array, first: number, count: number) => void} onSlice
   *   values: count * D of the samples from `first` on
   * @param {() => void} onDone  not called when a newer request took its place
   */
  ask(z, n, onSlice, onDone = () => {}) {
    this.pending = { z, n, onSlice, onDone, next: 0, began: 0 };
    if (!this.current || performance.now() - this.current.began > PATIENCE) this.#begin();
    if (!this.request) this.#work();
  }

  #begin() {
    this.current = this.pending;
    this.pending = null;
    if (this.current) this.current.began = performance.now();
  }

  #work() {
    this.request = 0;
    const from = performance.now();
    while (this.current) {
      const task = this.current;
      const count = Math.min(SLICE_SAMPLES, task.n - task.next);
      if (count > 0) {
        const dim = this.networks.latentDim;
        const part = task.z.subarray(task.next * dim, (task.next + count) * dim);
        task.onSlice(this.networks.decode(part, count), task.next, count);
        task.next += count;
      }
      if (task.next >= task.n) {
        task.onDone();
        // onDone may have asked again.
        if (this.current === task) this.#begin();
      }
      if (performance.now() - from > SLICE_TIME) break;
    }
    if (this.current) this.request = requestAnimationFrame(() => this.#work());
  }

  /** Forgets everything that is not done. */
  cancel() {
    cancelAnimationFrame(this.request);
    this.request = 0;
    this.current = null;
    this.pending = null;
  }
}
