/** Step 2: draws from a picture's cloud, amid all other pictures, and what they decode to. */
import { freshContext, make, paint, sampleCanvas, Slide, Strip, titled, typeSize } from "./parts.js";
import { posteriorDraws } from "./formulas.js";

const DRAWS = 16;
/** Dots of the cloud beside those that are decoded. */
const DOTS = 200;
/** What of the ground the scatter shows, from quantile to quantile. */
const EDGE = 0.005;

export class CloudView {
  constructor(app) {
    this.app = app;
    const { world } = app;
    this.seed = 0;
    this.factor = 1;
    this.strip = new Strip(world, (i) => this.choose(i));
    this.before = sampleCanvas(world, "ls-big");
    this.scatter = make("canvas", { class: "ls-scatter", role: "img" });
    this.cells = Array.from({ length: DRAWS }, () => sampleCanvas(world));
    this.slide = new Slide({
      name: "factor", title: "Noise", min: 0, max: 3, step: 0.05, value: 1,
      words: (v) => `${v.toFixed(2)} × σ`, onInput: (v) => { this.factor = v; this.draw(); },
    });
    const again = make("button", {
      type: "button", "data-act": "again",
      on: { click: () => { this.seed += 1; this.draw(); } },
    }, "Draw again");
    const [a, b] = world.header.axes;
    this.root = make("div", { class: "ls-cloud" },
      this.strip.root,
      make("div", { class: "ls-across" },
        titled("x", this.before),
        titled(`its cloud, latents ${a + 1} and ${b + 1}`, this.scatter),
        titled(`${DRAWS} draws`, make("div", { class: "ls-draws" }, ...this.cells))),
      make("div", { class: "ls-row" }, this.slide.root, again));
    this.limits = [0, 1].map((axis) => {
      const values = world.ground.filter((_, at) => at % 2 === axis).sort();
      const at = (share) => values[Math.round(share * (values.length - 1))];
      return [at(EDGE), at(1 - EDGE)];
    });
    this.observer = new ResizeObserver(() => this.#drawScatter());
    this.observer.observe(this.scatter);
    this.choose(0);
  }

  choose(i) {
    this.chosen = i;
    const { world } = this.app;
    this.strip.press(i);
    paint(world, this.before, world.samples, i * world.nFeatures);
    this.draw();
  }

  draw() {
    const { world, engine } = this.app;
    const noise = seededNormals(this.seed, DRAWS + DOTS, world.dim);
    const spread = world.logVariances(this.chosen);
    this.z = posteriorDraws(world.latent(this.chosen), spread, this.factor, noise);
    this.root.dataset.factor = this.factor;
    this.root.dataset.seed = this.seed;
    this.#drawScatter();
    engine?.many("draws", this.z.slice(0, DRAWS * world.dim), DRAWS, (values, first, count) => {
      for (let i = 0; i < count; i++) paint(world, this.cells[first + i], values, i * world.nFeatures);
    });
  }

  show(shown) {
    this.shown = shown;
    this.#drawScatter();
  }

  #drawScatter() {
    if (!this.z || !this.scatter.clientWidth) return;
    const { world } = this.app;
    const { ground, groundKinds, dim, header } = world;
    const [context, width, height] = freshContext(this.scatter);
    const place = (x, y) => [[x, 0, width], [y, 1, height]].map(([value, axis, size]) => {
      const [low, high] = this.limits[axis];
      const share = 0.06 + (0.88 * (value - low)) / (high - low || 1);
      return size * (axis ? 1 - share : share);
    });
    const dot = typeSize() / 8;
    const style = getComputedStyle(this.root);
    for (let i = 0; i < ground.length / 2; i++) {
      const [x, y] = place(ground[2 * i], ground[2 * i + 1]);
      context.globalAlpha = this.shown ? 0.75 : 0.22;
      context.fillStyle = this.shown ? header.ground[groundKinds[i]] : style.color;
      context.fillRect(x - dot / 2, y - dot / 2, dot, dot);
    }
    const [a, b] = header.axes;
    for (let i = this.z.length / dim - 1; i >= 0; i--) {
      const decoded = i < DRAWS;
      const [x, y] = place(this.z[i * dim + a], this.z[i * dim + b]);
      context.globalAlpha = decoded ? 1 : 0.5;
      context.fillStyle = style.getPropertyValue("--accent");
      context.strokeStyle = style.getPropertyValue("--page");
      context.beginPath();
      context.arc(x, y, decoded ? 2 * dot : dot, 0, 7);
      if (decoded) context.stroke();
      context.fill();
    }
    const mean = world.latent(this.chosen);
    const [x, y] = place(mean[a], mean[b]);
    context.globalAlpha = 1;
    context.lineWidth = dot;
    context.strokeStyle = style.color;
    context.beginPath();
    for (const [dx, dy] of [[1, 0], [0, 1]]) {
      context.moveTo(x - 4 * dot * dx, y - 4 * dot * dy);
      context.lineTo(x + 4 * dot * dx, y + 4 * dot * dy);
    }
    context.stroke();
  }

  destroy() {
    this.observer.disconnect();
  }
}
