/** Step 5: a row of samples for every cluster, all of the same noise. */
import { make, paint, sampleCanvas, Slide } from "./parts.js";
import { hillDraws } from "./formulas.js";

const SAMPLES = 10;
const SAMPLES_OF_PROFILES = 4;

export class HillsView {
  constructor(app) {
    this.app = app;
    const { world } = app;
    this.seed = 0;
    this.factor = 1;
    this.n = world.shape ? SAMPLES : SAMPLES_OF_PROFILES;
    const weights = Float64Array.from(world.mixture.logWeights, Math.exp);
    const largest = Math.max(...weights);
    // Without the answer one row is shown: that of the heaviest cluster.
    this.first = weights.indexOf(largest);
    this.rows = world.header.order.map((c) => {
      const { name, colour, ink } = world.header.clusters[c];
      const chip = make("span", { class: "ls-chip", style: `background:${colour};color:${ink}` }, name);
      const percent = `${(100 * weights[c]).toFixed(0)} %`;
      const weight = make("span", { class: "ls-weight", title: `π = ${percent}` },
        make("i", { style: `width:${(100 * weights[c]) / largest}%` }), make("span", {}, percent));
      const cells = Array.from({ length: this.n }, () => sampleCanvas(world));
      const root = make("div", { class: "ls-hill", "data-cluster": c }, chip, weight,
        make("div", { class: "ls-samples" }, ...cells));
      return { c, root, chip, name, cells };
    });
    this.slide = new Slide({
      name: "spread", title: "Width of the hills", min: 0, max: 2, step: 0.05, value: 1,
      words: (v) => `${v.toFixed(2)} × σ`, onInput: (v) => { this.factor = v; this.draw(); },
    });
    const again = make("button", {
      type: "button", "data-act": "again",
      on: { click: () => { this.seed += 1; this.draw(); } },
    }, "New noise ε");
    this.hint = make("p", { class: "ls-unlock" }, "Guess, then press “Show the answer”: it opens the other rows.");
    this.root = make("div", { class: "ls-hills" },
      make("div", { class: "ls-rows" }, ...this.rows.map(({ root }) => root)),
      make("div", { class: "ls-row" }, this.slide.root, again));
  }

  draw() {
    const { world, engine } = this.app;
    const { nFeatures, dim, mixture } = world;
    const { n } = this;
    const z = hillDraws(mixture, this.factor, seededNormals(this.seed, n, dim));
    this.root.dataset.seed = this.seed;
    this.root.dataset.factor = this.factor;
    engine?.many("hills", z, mixture.k * n, (values, first, count) => {
      for (let i = 0; i < count; i++) {
        const [c, s] = [Math.floor((first + i) / n), (first + i) % n];
        const row = this.byCluster[c];
        paint(world, row.cells[s], values, i * nFeatures);
      }
    });
  }

  get byCluster() {
    const found = [];
    for (const row of this.rows) found[row.c] = row;
    return found;
  }

  show(shown) {
    for (const row of this.rows) {
      const open = shown || row.c === this.first;
      row.root.classList.toggle("ls-closed", !open);
      row.chip.textContent = open ? row.name : "?";
    }
    // Said on the first closed row: where the eye looks for a picture.
    const closed = this.rows.filter(({ root }) => root.classList.contains("ls-closed"));
    if (closed.length) closed[Math.min(1, closed.length - 1)].root.append(this.hint);
    else this.hint.remove();
    this.draw();
  }
}
