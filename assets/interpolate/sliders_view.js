/** One slider a latent dimension, and what each dimension does, step by step. */
import {
  build, enlarged, GammaBars, numberText, paintSample, saveCanvas, Slot, Tiles,
} from "./parts.js";

const STEPS_A_ROW = 9;
const SPREAD = 2;
/** So long, in milliseconds, a slider has to rest before all rows are decoded anew. */
const REST_OF_ROWS = 120;

export class SlidersView {
  constructor(app) {
    this.app = app;
    const { world } = app;
    this.slots = [{
      slot: new Slot(app, "Digit", 0),
      get: () => app.choice.digit,
      set: (code) => { app.choice.digit = code; },
    }];
    this.canvas = build("canvas", { class: "ip-sample ip-now" });
    this.bars = new GammaBars(world);
    this.reset = build("button", { type: "button", "data-act": "reset", on: {
      click: () => this.refresh(true),
    } }, "Reset");
    this.rows = Array.from({ length: world.dim }, (_, j) => this.#row(j));
    this.root = build(
      "div", { class: "ip-sliders" },
      build(
        "div", { class: "ip-ends" }, this.slots[0].slot.root,
        build("div", { class: "ip-now-box" }, this.canvas),
        this.bars.root, this.reset,
      ),
      build(
        "div", { class: "ip-dims-head" },
        build("span", {}, `Latent dimensions; the band is the prior's mean ± ${SPREAD} sd`),
        build("span", {}, "From one end of the band to the other"),
      ),
      build("div", { class: "ip-dims" }, ...this.rows.map(({ root }) => root)),
    );
  }

  #row(j) {
    const { world } = this.app;
    const { mean, sd } = world.prior.spread(j);
    const [low, high] = world.rangeOf(j);
    const row = { j, mean, sd, low: Math.min(low, mean - 3 * sd), high: Math.max(high, mean + 3 * sd) };
    const share = (value) => (value - row.low) / (row.high - row.low || 1);
    const [from, to] = [share(mean - SPREAD * sd), share(mean + SPREAD * sd)];
    // The thumb's middle travels from one half of its width to the other end less as much.
    const place = (at) => `calc(9px + ${at} * (100% - 18px))`;
    const band = build("i", {
      class: "ip-band", style: `left:${place(from)};width:calc(${to - from} * (100% - 18px))`,
    });
    row.slider = build("input", {
      type: "range", min: row.low, max: row.high, step: "any", class: "ip-slider",
      "aria-label": `Latent dimension ${j + 1}`,
      on: { input: () => this.set(j, Number(row.slider.value)) },
    });
    row.value = build("span", { class: "ip-dim-value" });
    row.tiles = new Tiles(world, 1, STEPS_A_ROW);
    row.tiles.canvas.title = "Click a step to go there";
    row.tiles.canvas.addEventListener("click", (event) => {
      const at = row.tiles.at(event);
      if (at >= 0) this.set(j, this.#step(row, at));
    });
    row.root = build(
      "div", { class: "ip-dim" }, build("b", {}, `z${j + 1}`),
      build("div", { class: "ip-track" }, band, row.slider), row.value, row.tiles.canvas,
    );
    return row;
  }

  #step({ mean, sd }, i) {
    return mean + SPREAD * sd * ((2 * i) / (STEPS_A_ROW - 1) - 1);
  }

  /** @param {boolean} again  whether the digit's own latent is taken anew although it is the same */
  refresh(again = false) {
    const { world, choice } = this.app;
    this.slots[0].slot.show(choice.digit);
    if (again || this.code !== choice.digit) {
      this.code = choice.digit;
      this.z = Float32Array.from(world.latent(choice.digit));
    }
    for (const { slider, value, j } of this.rows) {
      slider.value = this.z[j];
      value.textContent = numberText(this.z[j], 1);
    }
    this.app.map.showTrack(null, 0, [["", world.latent(choice.digit)]]);
    this.#draw();
    this.#drawRows();
  }

  set(j, value) {
    this.z[j] = value;
    const row = this.rows[j];
    row.slider.value = value;
    row.value.textContent = numberText(value, 1);
    this.#draw();
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.#drawRows(), REST_OF_ROWS);
  }

  #draw() {
    const { world, engine, map } = this.app;
    this.bars.show(this.z);
    map.showSpot(this.z);
    engine?.one("slid", this.z, (values) => {
      paintSample(world, this.canvas, values);
      this.root.dataset.drawn = Number(this.root.dataset.drawn ?? 0) + 1;
    });
  }

  #drawRows() {
    const { world, engine } = this.app;
    const n = this.rows.length * STEPS_A_ROW;
    const z = new Float32Array(n * world.dim);
    this.rows.forEach((row, r) => {
      for (let i = 0; i < STEPS_A_ROW; i++) {
        const at = (r * STEPS_A_ROW + i) * world.dim;
        z.set(this.z, at);
        z[at + row.j] = this.#step(row, i);
      }
    });
    engine?.many("rows", z, n, (values, first, count) => {
      for (let i = 0; i < count; i++) {
        const at = first + i;
        const size = world.nFeatures;
        const row = this.rows[Math.floor(at / STEPS_A_ROW)];
        row.tiles.paint(values.subarray(i * size, (i + 1) * size), at % STEPS_A_ROW, 1);
      }
    });
  }

  save(name) {
    const { world } = this.app;
    const all = document.createElement("canvas");
    const [first] = this.rows;
    all.width = first.tiles.canvas.width;
    all.height = first.tiles.canvas.height * this.rows.length;
    const context = all.getContext("2d");
    this.rows.forEach(({ tiles }, r) => context.drawImage(tiles.canvas, 0, r * tiles.canvas.height));
    saveCanvas(enlarged(all, world), `${name}-latent-sliders.png`);
  }
}
