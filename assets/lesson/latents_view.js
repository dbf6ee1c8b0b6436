/** Step 1: a picture, its latents as bars that can be shut off, and the picture drawn again. */
import { make, paint, sampleCanvas, Strip, titled } from "./parts.js";
import { shutOff } from "./formulas.js";

export class LatentsView {
  constructor(app) {
    this.app = app;
    const { world } = app;
    this.strip = new Strip(world, (i) => this.choose(i));
    this.before = sampleCanvas(world, "ls-big");
    this.after = sampleCanvas(world, "ls-big");
    this.on = Array(world.dim).fill(true);
    this.bars = Array.from({ length: world.dim }, (_, j) => make("button", {
      type: "button", class: "ls-bar", "data-latent": j,
      on: { click: () => this.toggle(j) },
    }, make("i")));
    this.count = make("span", { class: "ls-count" });
    const all = (value) => make("button", {
      type: "button", "data-act": value ? "on" : "off",
      on: { click: () => { this.on.fill(value); this.draw(); } },
    }, value ? "All on" : "All off");
    this.truth = make("div", { class: "ls-truth", hidden: "" });
    this.root = make("div", { class: "ls-latents" },
      this.strip.root,
      make("div", { class: "ls-across" },
        titled("x", this.before),
        titled("z", make("div", { class: "ls-bars" }, ...this.bars)),
        titled("x′", this.after)),
      make("div", { class: "ls-row" }, this.count, all(true), all(false)),
      this.truth);
    this.most = Math.max(1e-6, ...Array.from(world.mean, Math.abs));
    this.choose(0);
  }

  choose(i) {
    this.chosen = i;
    const { world } = this.app;
    this.strip.press(i);
    paint(world, this.before, world.samples, i * world.nFeatures);
    this.draw();
  }

  toggle(j) {
    this.on[j] = !this.on[j];
    this.draw();
  }

  draw() {
    const { world, engine } = this.app;
    const latent = world.latent(this.chosen);
    this.bars.forEach((bar, j) => {
      const share = latent[j] / this.most;
      const filled = bar.firstChild;
      filled.style.height = `${50 * Math.abs(share)}%`;
      filled.style.top = `${share > 0 ? 50 - 50 * share : 50}%`;
      bar.setAttribute("aria-pressed", this.on[j]);
      const words = `Latent ${j + 1}: ${latent[j].toFixed(2)}, ${this.on[j] ? "on" : "off"}`;
      bar.title = words;
      bar.setAttribute("aria-label", words);
    });
    const left = this.on.filter(Boolean).length;
    this.count.textContent = `${left} of ${world.dim} on`;
    this.root.dataset.on = left;
    engine?.one("again", shutOff(latent, this.on), (values) => paint(world, this.after, values));
  }

  /** How much comes back, by the number of latents. */
  show(shown) {
    const { returned } = this.app.world.header;
    this.truth.hidden = !shown || !returned;
    if (this.truth.hidden) return;
    const enough = Math.max(1, returned.findIndex((v) => v >= returned.at(-1) / 2));
    const dense = returned.length > 21;
    this.truth.replaceChildren(
      make("div", { class: "ls-name" }, "Per cent of the picture that come back, by how many numbers"),
      make("div", { class: "ls-columns" }, ...returned.slice(1).map((value, i) => {
        const fill = make("i", { style: `height:${Math.max(0, 100 * value)}%` });
        const n = i + 1;
        const words = [make("b", {}, `${Math.round(100 * value)}`), make("span", {}, `${n}`)];
        return make("div", {
          class: n === enough ? "ls-column ls-marked" : "ls-column",
          title: `${n}: ${(100 * value).toFixed(1)} %`,
        }, ...(dense ? [] : [words[0]]), make("div", { class: "ls-well" }, fill),
        ...(dense ? [] : [words[1]]));
      })),
    );
  }
}
