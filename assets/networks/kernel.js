/**
 * The inner loop of a fully connected layer, in WebAssembly with SIMD, and in JavaScript where a
 * browser has none.
 *
 * A layer's weights lie in panels of eight outputs: for each panel, for each input, eight floats.
 * A kernel takes one panel and some samples: y = max(floor, x W + b). All places are in bytes.
 */

export const PANEL = 8;
/** Samples that the wide kernel takes at once: 4 x 8 sums fit into the registers. */
export const WIDE = 4;

/** A number as WebAssembly writes it: seven bits a byte, the lowest first. */
function leb(value) {
  const bytes = [];
  do {
    bytes.push((value & 127) | (value > 127 ? 128 : 0));
    value >>>= 7;
  } while (value);
  return bytes;
}

const sized = (bytes) => [...leb(bytes.length), ...bytes];
const named = (text) => sized([...text].map((letter) => letter.charCodeAt(0)));
const section = (id, entries) => [id, ...sized([...leb(entries.length), ...entries.flat()])];

const I32 = 0x7f;
const F32 = 0x7d;
const V128 = 0x7b;
const get = (local) => [0x20, ...leb(local)];
const set = (local) => [0x21, ...leb(local)];
const constant = (value) => [0x41, ...leb(value)]; // below 64: the sign bit stays clear
const ADD = [0x6a];
const simd = (code, ...rest) => [0xfd, ...leb(code), ...rest];
const load = (offset) => simd(0x00, 0, ...leb(offset));
const loadSplat = () => simd(0x09, 0, 0);
const store = (offset) => simd(0x0b, 0, ...leb(offset));
const SPLAT = simd(0x13);
const VADD = simd(0xe4);
const VMUL = simd(0xe6);
const PMAX = simd(0xeb);

/** Parameters of a kernel, in order. */
const [X, X_STRIDE, W, B, Y, Y_STRIDE, END, FLOOR] = [0, 1, 2, 3, 4, 5, 6, 7];

/** The code of a kernel for so many samples at once. */
function kernelCode(samples) {
  const places = Array.from({ length: samples }, (_, s) => 8 + s);
  const sums = Array.from({ length: 2 * samples }, (_, a) => 8 + samples + a);
  const weights = [8 + 3 * samples, 9 + 3 * samples];
  const body = [...get(X), ...set(places[0])];
  for (let s = 1; s < samples; s++) {
    body.push(...get(places[s - 1]), ...get(X_STRIDE), ...ADD, ...set(places[s]));
  }
  sums.forEach((sum, a) => body.push(...get(B), ...load(16 * (a % 2)), ...set(sum)));
  body.push(0x03, 0x40); // loop over the inputs
  weights.forEach((local, half) => body.push(...get(W), ...load(16 * half), ...set(local)));
  for (let s = 0; s < samples; s++) {
    const value = 10 + 3 * samples;
    body.push(...get(places[s]), ...loadSplat(), ...set(value));
    for (const half of [0, 1]) {
      const sum = sums[2 * s + half];
      body.push(...get(sum), ...get(value), ...get(weights[half]), ...VMUL, ...VADD, ...set(sum));
    }
    body.push(...get(places[s]), ...constant(4), ...ADD, ...set(places[s]));
  }
  body.push(...get(W), ...constant(32), ...ADD, 0x22, W); // local.tee
  body.push(...get(END), 0x49, 0x0d, 0, 0x0b); // again while W is below END
  for (let s = 0; s < samples; s++) {
    for (const half of [0, 1]) {
      body.push(...get(Y), ...get(sums[2 * s + half]), ...get(FLOOR), ...SPLAT, ...PMAX);
      body.push(...store(16 * half));
    }
    if (s < samples - 1) body.push(...get(Y), ...get(Y_STRIDE), ...ADD, ...set(Y));
  }
  const locals = [...leb(2), ...leb(samples), I32, ...leb(2 * samples + 3), V128];
  return sized([...locals, ...body, 0x0b]);
}

/** The module: it imports a memory and exports the kernels `one` and `wide`. */
function kernelModule() {
  return new Uint8Array([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, [[0x60, 8, I32, I32, I32, I32, I32, I32, I32, F32, 0]]),
    ...section(2, [[...named("m"), ...named("memory"), 2, 0, 1]]),
    ...section(3, [[0], [0]]),
    ...section(7, [[...named("one"), 0, 0], [...named("wide"), 0, 1]]),
    ...section(10, [kernelCode(1), kernelCode(WIDE)]),
  ]);
}

/** The same loops without SIMD, on the floats of a memory. */
function plainKernel(floats, samples) {
  return (x, xStride, w, b, y, yStride, end, floor) => {
    const [step, from, until] = [xStride >> 2, w >> 2, end >> 2];
    for (let s = 0; s < samples; s++) {
      const at = (y + s * yStride) >> 2;
      for (let o = 0; o < PANEL; o += 4) {
        let place = (x >> 2) + s * step;
        let [a0, a1, a2, a3] = floats.subarray((b >> 2) + o, (b >> 2) + o + 4);
        for (let i = from + o; i < until; i += PANEL) {
          const value = floats[place++];
          if (value === 0) continue;
          a0 += value * floats[i];
          a1 += value * floats[i + 1];
          a2 += value * floats[i + 2];
          a3 += value * floats[i + 3];
        }
        floats[at + o] = Math.max(a0, floor);
        floats[at + o + 1] = Math.max(a1, floor);
        floats[at + o + 2] = Math.max(a2, floor);
        floats[at + o + 3] = Math.max(a3, floor);
      }
    }
  };
}

/**
 * Memory for so many bytes with the kernels that work on it.
 * @param {number} bytes
 * @param {boolean} plain  whether to do without WebAssembly
 * @returns {{floats: Float32Array, one: Function, wide: Function, kind: "wasm"|"js"}}
 */
export function makeKernels(bytes, plain = false) {
  if (!plain) {
    try {
      const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / 65536) });
      const module = new WebAssembly.Module(kernelModule());
      const { one, wide } = new WebAssembly.Instance(module, { m: { memory } }).exports;
      return { floats: new Float32Array(memory.buffer), one, wide, kind: "wasm" };
    } catch {
      // No SIMD, or a page that forbids WebAssembly: JavaScript does it.
    }
  }
  const floats = new Float32Array(Math.ceil(bytes / 4));
  return {
    floats, one: plainKernel(floats, 1), wide: plainKernel(floats, WIDE), kind: "js",
  };
}
