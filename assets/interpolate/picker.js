/** Where samples are chosen: real ones by class, means of clusters, or one that is drawn. */
import { build, Choices, paintSample } from "./parts.js";
import { DrawingPad } from "./draw_view.js";

/** Samples on offer at a time, at most. */
const SHOWN = 24;

export class Picker {
  constructor(app) {
    this.app = app;
    const { world } = app;
    this.source = "samples";
    /** Among the group's points: one that is shown. */
    this.at = 0;
    /** As many as whole rows of the grid have places for. */
    this.places = SHOWN;
    /** What a person draws here. */
    this.strokes = [];
    this.title = build("b", { class: "ip-picker-title" });
    const sources = { samples: "Real", means: "Cluster means" };
    if (world.header.canDraw) sources.draw = "Draw";
    this.sources = new Choices(sources, (name) => this.open(name), "Choose from");
    this.groups = this.#groups();
    const names = Object.fromEntries(this.groups.map(({ name }, i) => [i, name]));
    this.group = 0;
    this.chips = new Choices(names, (i) => {
      this.group = Number(i);
      this.at = 0;
      this.#fill();
    }, world.labels ? "Class" : "Cluster");
    this.more = build("button", { type: "button", class: "ip-more", on: { click: () => this.#next() } }, "Others");
    this.grid = build("div", { class: "ip-offers" });
    this.root = build(
      "div", { class: "ip-picker" },
      build("div", { class: "ip-row" }, this.title, this.sources.root), this.chips.root, this.grid,
    );
    this.observer = new ResizeObserver(() => {
      if (this.#fit()) this.#fill();
    });
    this.observer.observe(this.root);
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
    this.#fill();
  }

  #next() {
    const [from, to] = this.#shown();
    this.at = to < this.groups[this.group].points.length ? to : 0;
    this.#fill();
  }

  /** From where to where the group's points are on offer; the others' button needs a place, too. */
  #shown() {
    const count = this.groups[this.group].points.length;
    const page = Math.min(SHOWN, count > this.places ? Math.max(1, this.places - 1) : count);
    const from = this.at - (this.at % page);
    return [from, Math.min(count, from + page)];
  }

  /** Which place is chosen for. */
  name(label) {
    this.title.textContent = label;
  }

  refresh() {
    this.#follow();
    this.#fill();
  }

  /** Opens the class of the real sample that is chosen, once: then a person may look elsewhere. */
  #follow() {
    const { chosen } = this.app;
    if (chosen === this.followed) return;
    this.followed = chosen;
    if (chosen?.[0] !== "p") return;
    const i = Number(chosen.slice(1));
    this.group = this.groups.findIndex(({ points }) => points.includes(i));
    this.at = this.groups[this.group].points.indexOf(i);
  }

  #fill() {
    const { source, app } = this;
    this.sources.press(source);
    this.chips.press(String(this.group));
    this.chips.root.hidden = source !== "samples" || this.groups.length < 2;
    this.root.dataset.source = source;
    if (source === "draw") {
      this.pad ??= new DrawingPad(app.world, this.strokes, (picture, isDone) => {
        if (picture && isDone) app.engine?.encode(picture, (z) => app.pickLatent(z));
      });
      this.grid.style.maxHeight = "";
      this.grid.replaceChildren(this.pad.root);
      return;
    }
    let codes = this.#lay();
    if (this.#fit()) codes = this.#lay();
    this.#paint(codes);
  }

  /** Puts what is on offer on the page, without its pictures. */
  #lay() {
    const { source, app: { world } } = this;
    const isMeans = source === "means";
    const { points } = this.groups[this.group];
    const [from, to] = this.#shown();
    const codes = isMeans
      ? Array.from({ length: world.assigning.k }, (_, c) => `c${c}`)
      : points.slice(from, to).map((i) => `p${i}`);
    this.grid.replaceChildren(...codes.map((code, i) => {
      const button = build("button", {
        type: "button", class: "ip-offer", "data-code": code, title: world.words(code),
        on: { click: () => this.app.pick(code) },
      }, build("canvas", { class: "ip-sample" }));
      if (isMeans) {
        const { name, colour, ink } = world.looks[i];
        button.append(build("i", { style: `background:${colour};color:${ink}` }, name));
      }
      return button;
    }));
    if (!isMeans && codes.length < points.length) this.grid.append(this.more);
    return codes;
  }

  /** Ends the grid where a row ends. @returns {boolean}  whether it has other places than before */
  #fit() {
    const { grid } = this;
    grid.style.maxHeight = "";
    const height = grid.querySelector(".ip-offer")?.getBoundingClientRect().height;
    if (!height) return false;
    const { rowGap, gridTemplateColumns } = getComputedStyle(grid);
    const gap = Number.parseFloat(rowGap);
    const rows = Math.max(1, Math.floor((grid.getBoundingClientRect().height + gap) / (height + gap)));
    grid.style.maxHeight = `${rows * (height + gap) - gap}px`;
    const before = this.places;
    this.places = rows * gridTemplateColumns.split(" ").length;
    return this.places !== before;
  }

  #paint(codes) {
    const { world, engine } = this.app;
    const canvases = this.grid.querySelectorAll("canvas");
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

  destroy() {
    this.observer.disconnect();
  }
}
