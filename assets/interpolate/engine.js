/** Who decodes: the networks in the browser, or the server where they cannot be here. */
import { textOfNumbers } from "./message.js";

/** Decodes with the page's own networks. */
export class LocalEngine {
  /** @param {any} networks  of assets/networks */
  constructor(networks) {
    this.networks = networks;
    this.slots = new Map();
  }

  /** Decodes one latent at once. @param {(values: Float32Array) => void} draw */
  one(slot, z, draw) {
    draw(this.networks.decode(z, 1));
  }

  /**
   * Decodes many in slices between frames; of one slot's requests the newest counts.
   * @param {(values: Float32Array, first: number, count: number) => void} onSlice
   */
  many(slot, z, n, onSlice, onDone) {
    if (!this.slots.has(slot)) this.slots.set(slot, new NewestDecode(this.networks));
    this.slots.get(slot).ask(z, n, onSlice, onDone);
  }

  /** The posterior mean of one sample. @param {(mean: Float32Array) => void} take */
  encode(x, take) {
    take(this.networks.encode(x, 1).mean);
  }

  stop() {
    for (const decode of this.slots.values()) decode.cancel();
  }
}

/** So long, in milliseconds, an answer is waited for before the next question is put. */
const LONGEST_WAIT = 15_000;
/** So long the pointer has to rest before the server is asked. */
const REST = 120;

/** Asks the server, one question at a time; of one slot's questions only the newest is put. */
export class ServerEngine {
  /** @param {(question: any) => void} put */
  constructor(put) {
    this.put = put;
    this.waiting = new Map();
    this.open = null;
    this.number = 0;
    this.onAnswer = (event) => this.#answer(event.detail);
    window.addEventListener("vade-interpolate-answer", this.onAnswer);
  }

  one(slot, z, draw) {
    this.#queue(slot, "decode", z, 1, (values) => draw(values));
  }

  many(slot, z, n, onSlice, onDone) {
    this.#queue(slot, "decode", z, n, (values) => {
      onSlice(values, 0, n);
      onDone?.();
    });
  }

  encode(x, take) {
    this.#queue("encode", "encode", x, 1, take);
  }

  #queue(slot, kind, values, n, take) {
    this.waiting.set(slot, { kind, values: Float32Array.from(values), n, take });
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#next(), REST);
  }

  #next() {
    const now = performance.now();
    if (this.open && now - this.open.since < LONGEST_WAIT) return;
    const [slot] = this.waiting.keys();
    if (slot === undefined) return;
    const { kind, values, n, take } = this.waiting.get(slot);
    this.waiting.delete(slot);
    const number = `${Date.now()}-${this.number++}`;
    this.open = { number, take, since: now };
    this.put({ number, kind, n, values: textOfNumbers(values) });
  }

  #answer({ number, values }) {
    if (this.open?.number !== number) return;
    const { take } = this.open;
    this.open = null;
    take(values);
    this.#next();
  }

  stop() {
    clearTimeout(this.timer);
    window.removeEventListener("vade-interpolate-answer", this.onAnswer);
  }
}
