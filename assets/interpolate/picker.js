/** Where samples are chosen: real ones by class, means of clusters, or one that is drawn. */
import { build, Choices, paintSample } from "./parts.js";
import { DrawingPad } from "./draw_view.js";

/** Samples on offer at a time. */
const SHOWN = 24;

export class Picker {
  constructor(app) {
    this.app = app;
    const { world } = app;
    this.source = "samples";
    this.first = 0;
    this.title = build("b", { class: "ip-picker-title" });
    const sources = { samples: "Real", means: "Cluster means" };
    if (world.header.canDraw) sources.draw = "Draw";
    this.sources = new Choices(sources, (name) => this.open(name), "Choose from");
    this.groups = this.#groups();
    const names = Object.fromEntries(this.groups.map(({ name }, i) => [i, name]));
    this.group = 0;
    this.chips = new Choices(names, (i) => {
      this.group = Number(i);
      this.first = 0;
      this.refresh();
    }, world.labels ? "Class" : "Cluster");
    this.more = build("button", { type: "button", class: "ip-more", on: { click: () => this.#next() } }, "Others");
    this.grid = build("div", { class: "ip-offers" });
    this.root = build(
      "div", { class: "ip-picker" },
      build("div", { class: "ip-row" }, this.title, this.sources.root), this.chips.root, this.grid,
    );
  }

  /** Points by class, or by cluster where there are no labels. */
  #groups() {
    const { world } = this.app;
    const codes = world.labels ?? world.clusters;
    if (!codes) return [{ name: "all", points: Array.from({ length: world.n }, (_, i) => i) }];
    const found = new Map();
    codes.forEach((code, i) => found.set(code, [...(found.get(code) ?? []), i]));
    const nameOf = (code) => {
      if (world.labels) return world.header.classNames[code];
      return code < 0 ? "none" : world.clusterName(code);
    };
    return [...found].sort((a, b) => a[0] - b[0]).map(([code, points]) => ({ name: nameOf(code), points }));
  }

  open(source) {
    this.source = source;
    this.refresh();
  }

  #next() {
    const { points } = this.groups[this.group];
    this.first = this.first + SHOWN < points.length ? this.first + SHOWN : 0;
    this.refresh();
  }

  /** Which place is chosen for. */
  name(label) {
    this.title.textContent = label;
  }

  refresh() {
    const { source, app } = this;
    this.sources.press(source);
    this.chips.press(String(this.group));
    this.chips.root.hidden = source !== "samples" || this.groups.length < 2;
    this.root.dataset.source = source;
    if (source === "draw") {
      this.pad ??= new DrawingPad(app.world, (picture, isDone) => {
        if (picture && isDone) app.engine?.encode(picture, (z) => app.pickLatent(z));
      });
      this.grid.replaceChildren(this.pad.root);
    } else if (source === "means") {
      const { k } = app.world.assigning;
      this.#offer(Array.from({ length: k }, (_, c) => `c${c}`), true);
    } else {
      const { points } = this.groups[this.group];
      this.#offer(points.slice(this.first, this.first + SHOWN).map((i) => `p${i}`), false);
      if (points.length > SHOWN) this.grid.append(this.more);
    }
  }

  #offer(codes, named) {
    const { app } = this;
    const { world, engine } = app;
    const canvases = codes.map(() => build("canvas", { class: "ip-sample" }));
    this.grid.replaceChildren(...codes.map((code, i) => {
      const button = build("button", {
        type: "button", class: "ip-offer", "data-code": code, title: world.words(code),
        on: { click: () => app.pick(code) },
      }, canvases[i]);
      if (named) {
        const { name, colour, ink } = world.looks[i];
        button.append(build("i", { style: `background:${colour};color:${ink}` }, name));
      }
      return button;
    }));
    const unreal = codes.map((code, i) => {
      const real = world.realPicture(code);
      if (real) paintSample(world, canvases[i], real);
      return real ? -1 : i;
    }).filter((i) => i >= 0);
    if (!unreal.length) return;
    const z = new Float32Array(unreal.length * world.dim);
    unreal.forEach((i, at) => z.set(world.latent(codes[i]), at * world.dim));
    engine?.many("offers", z, unreal.length, (values, first, count) => {
      for (let i = 0; i < count; i++) {
        paintSample(world, canvases[unreal[first + i]], values, i * world.nFeatures);
      }
    });
  }
}
