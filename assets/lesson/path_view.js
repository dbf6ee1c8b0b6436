/** Step 6: on the way from one digit to another, and whose each place is. */
import { freshContext, make, paint, sampleCanvas, Slide, Strip, titled } from "./parts.js";
import { changesOfMind, straightWay } from "./formulas.js";

const STEPS = 201;
/** Milliseconds from one end to the other while it plays. */
const TRAVEL = 4000;
const LEAST_SHARE = 0.005;

export class PathView {
  constructor(app) {
    this.app = app;
    const { world } = app;
    this.ends = [...world.header.ends];
    this.active = 1;
    this.t = 0;
    this.strip = new Strip(world, (i) => this.choose(i));
    this.boxes = ["A", "B"].map((title, end) => {
      const canvas = sampleCanvas(world);
      const button = make("button", {
        type: "button", class: "ls-end", "data-end": title, title: `Choose another ${title}`,
        on: { click: () => { this.active = end; this.#press(); } },
      }, canvas);
      return { button, canvas, root: titled(title, button) };
    });
    this.now = sampleCanvas(world, "ls-big");
    this.slide = new Slide({
      name: "t", title: "From A to B", min: 0, max: 1000, step: 1, value: 0,
      words: (v) => `${Math.round(v / 10)} %`,
      onInput: (v) => { this.stop(); this.move(v / 1000); },
    });
    const play = make("button", { type: "button", "data-act": "play", on: {
      click: () => this.play(),
    } }, "▶ Play");
    this.bars = world.header.order.map((c) => {
      const { name, colour, ink } = world.header.clusters[c];
      const fill = make("i", { style: `background:${colour}` });
      const root = make("div", { class: "ls-gamma", "data-cluster": c },
        make("div", { class: "ls-well" }, fill),
        make("span", { class: "ls-chip", style: `background:${colour};color:${ink}` }, name));
      return { c, fill, root };
    });
    this.areas = make("canvas", { class: "ls-areas", role: "img", "aria-label": "gamma along the way" });
    this.marker = make("div", { class: "ls-marker" });
    this.words = make("p", { class: "ls-words", "aria-live": "polite" });
    this.truth = make("div", { class: "ls-truth", hidden: "" },
      make("div", { class: "ls-gammas" }, ...this.bars.map(({ root }) => root)),
      make("div", { class: "ls-areas-box" }, this.areas, this.marker),
      this.words);
    this.hidden = make("p", { class: "ls-hidden" }, "γ is hidden until the answer is shown.");
    this.root = make("div", { class: "ls-path" },
      this.strip.root,
      make("div", { class: "ls-across" }, this.boxes[0].root, titled("z on the way", this.now),
        this.boxes[1].root),
      make("div", { class: "ls-row" }, play, this.slide.root),
      this.hidden, this.truth);
    this.observer = new ResizeObserver(() => this.#drawAreas());
    this.observer.observe(this.areas);
    this.#begin();
  }

  choose(i) {
    this.ends[this.active] = i;
    this.#begin();
  }

  #press() {
    this.boxes.forEach(({ button }, end) => button.setAttribute("aria-pressed", end === this.active));
    this.strip.press(this.ends[this.active]);
  }

  #begin() {
    const { world } = this.app;
    this.#press();
    this.boxes.forEach(({ canvas }, end) => {
      paint(world, canvas, world.samples, this.ends[end] * world.nFeatures);
    });
    const shares = Array.from({ length: STEPS }, (_, i) => i / (STEPS - 1));
    const [a, b] = this.ends.map((i) => world.latent(i));
    this.gammas = world.mixture.read(straightWay(a, b, shares), STEPS).shares;
    const changes = changesOfMind(this.gammas, STEPS, world.mixture.k);
    this.root.dataset.changes = changes.map((at) => at.toFixed(4)).join();
    const places = changes.map((at) => `${Math.round(100 * at)} %`).join(", ");
    this.words.textContent = places ? `It changes its mind at ${places} of the way.`
      : "It never changes its mind: both ends lie in one cluster.";
    this.#drawAreas();
    this.move(this.t);
  }

  move(t) {
    this.t = t;
    const { world, engine } = this.app;
    const [a, b] = this.ends.map((i) => world.latent(i));
    const z = straightWay(a, b, [t]);
    this.slide.set(Math.round(1000 * t));
    this.marker.style.left = `${100 * t}%`;
    const { shares } = world.mixture.read(z, 1);
    for (const { c, fill, root } of this.bars) {
      fill.style.height = `${100 * shares[c]}%`;
      root.title = `γ = ${(100 * shares[c]).toFixed(1)} %`;
    }
    this.root.dataset.t = t.toFixed(3);
    this.root.dataset.gamma = Array.from(shares, (v) => v.toFixed(4)).join();
    engine?.one("now", z, (values) => paint(world, this.now, values));
  }

  draw() {
    this.move(this.t);
  }

  show(shown) {
    this.truth.hidden = !shown;
    this.hidden.hidden = shown;
  }

  play() {
    this.stop();
    const from = this.t >= 1 ? 0 : this.t;
    const began = performance.now();
    const step = (now) => {
      if (!this.root.isConnected) return;
      this.move(Math.min(1, from + (now - began) / TRAVEL));
      if (this.t < 1) this.request = requestAnimationFrame(step);
    };
    this.request = requestAnimationFrame(step);
  }

  stop() {
    cancelAnimationFrame(this.request);
  }

  #drawAreas() {
    if (!this.gammas || !this.areas.clientWidth) return;
    const [context, width, height] = freshContext(this.areas);
    const { mixture: { k }, header } = this.app.world;
    const below = new Float64Array(STEPS);
    for (const c of header.order) {
      let most = 0;
      for (let i = 0; i < STEPS; i++) most = Math.max(most, this.gammas[i * k + c]);
      if (most < LEAST_SHARE) continue;
      context.fillStyle = header.clusters[c].colour;
      context.beginPath();
      const x = (i) => (i / (STEPS - 1)) * width;
      for (let i = 0; i < STEPS; i++) context.lineTo(x(i), height * (1 - below[i]));
      for (let i = 0; i < STEPS; i++) below[i] += this.gammas[i * k + c];
      for (let i = STEPS - 1; i >= 0; i--) context.lineTo(x(i), height * (1 - below[i]));
      context.fill();
    }
  }

  destroy() {
    this.stop();
    this.observer.disconnect();
  }
}
