/** Four corners, arithmetic, and the plane of a model with two latent dimensions. */
import {
  build, Choices, enlarged, GammaBars, numberText, paintSample, percentOf, saveCanvas, sheetOf, Slot,
  Tiles,
} from "./parts.js";
import { clearClusters, evenShares, gridBetweenFour, likeliestClusters, straightWay } from "./paths.js";

const SIDE = 9;
const CORNERS = ["top left", "top right", "bottom left", "bottom right"];

/** What lies under the pointer, in words. */
function wordsOf(world, z) {
  const { shares } = world.assigning.read(z, 1);
  const [c] = likeliestClusters(shares, 1, world.assigning.k);
  return `cluster ${world.clusterName(c)}, p(c|z) = ${percentOf(shares[c])}`;
}

/** Lets the pointer over some tiles tell what is there, on the map too. */
function listenToTiles(tiles, app, latentOf, say) {
  tiles.canvas.addEventListener("pointermove", (event) => {
    const at = tiles.at(event);
    if (at < 0) return;
    const z = latentOf(at);
    app.map.showSpot(z);
    say(`Under the pointer: ${wordsOf(app.world, z)}.`);
  });
}

/** A bilinear grid between four chosen samples. */
export class CornersView {
  constructor(app) {
    this.app = app;
    this.slots = CORNERS.map((label, i) => ({
      slot: new Slot(app, label, i),
      get: () => app.choice.corners[i],
      set: (code) => {
        app.choice.corners = app.choice.corners.map((old, at) => (at === i ? code : old));
      },
    }));
    this.tiles = new Tiles(app.world, SIDE, SIDE);
    this.words = build("p", { class: "ip-sentence" });
    const [topLeft, topRight, bottomLeft, bottomRight] = this.slots.map(({ slot }) => slot.root);
    this.root = build(
      "div", { class: "ip-corners" },
      build(
        "div", { class: "ip-corner-row" }, build("div", { class: "ip-column" }, topLeft, bottomLeft),
        build("div", { class: "ip-fit" }, this.tiles.canvas),
        build("div", { class: "ip-column" }, topRight, bottomRight),
      ),
      this.words,
    );
    const dim = app.world.dim;
    listenToTiles(this.tiles, app, (at) => this.z.subarray(at * dim, (at + 1) * dim), (words) => {
      this.words.textContent = words;
    });
  }

  refresh() {
    const { world, choice, engine, map } = this.app;
    this.slots.forEach(({ slot }, i) => slot.show(choice.corners[i]));
    const corners = choice.corners.map((code) => world.latent(code));
    this.z = gridBetweenFour(corners, SIDE);
    const n = SIDE * SIDE;
    const clusters = new Set(clearClusters(world.assigning.read(this.z, n).shares, n, world.assigning.k));
    clusters.delete(-1);
    const lies = clusters.size
      ? `The grid lies in ${clusters.size} cluster${clusters.size > 1 ? "s" : ""}.`
      : "No cluster stands out in the grid.";
    this.words.textContent = "The four corners are chosen; everything between is a weighted mean of "
      + `their latents, decoded. ${lies}`;
    map.showTrack(this.z, n, corners.map((z, i) => ["↖↗↙↘"[i], z]));
    map.showSpot(null);
    this.tiles.canvas.dataset.painted = 0;
    engine?.many("corners", this.z, n, (values, first, count) => this.tiles.paint(values, first, count));
  }

  save(name) {
    saveCanvas(enlarged(this.tiles.canvas, this.app.world), `${name}-four-corners.png`);
  }
}

const TERMS = ["A", "B", "C"];
const STRENGTHS = 11;
/** The strip shows strengths from 0 to this. */
const MOST_STRENGTH = 2;

/** A - B + C: what A has and B has not, put on C. */
export class SumView {
  constructor(app) {
    this.app = app;
    this.strength = 1;
    this.slots = TERMS.map((label, i) => ({
      slot: new Slot(app, label, i),
      get: () => app.choice.sum[i],
      set: (code) => {
        app.choice.sum = app.choice.sum.map((old, at) => (at === i ? code : old));
      },
    }));
    this.canvas = build("canvas", { class: "ip-sample ip-now" });
    this.title = build("b");
    this.slider = build("input", {
      type: "range", min: 0, max: 1000 * MOST_STRENGTH, step: 1, class: "ip-slider",
      "aria-label": "Strength s of A − B",
      on: { input: () => this.move(this.slider.value / 1000) },
    });
    this.frames = Array.from({ length: STRENGTHS }, (_, i) => build("canvas", {
      class: "ip-sample", on: { click: () => this.move((MOST_STRENGTH * i) / (STRENGTHS - 1)) },
    }));
    this.bars = new GammaBars(app.world);
    const sign = (text) => build("span", { class: "ip-sign", "aria-hidden": "true" }, text);
    const [a, b, c] = this.slots.map(({ slot }) => slot.root);
    this.root = build(
      "div", { class: "ip-sum" },
      build(
        "div", { class: "ip-terms" }, a, sign("−"), b, sign("+"), c, sign("="),
        build("div", { class: "ip-result" }, this.canvas, this.title),
      ),
      build("div", { class: "ip-inset" }, this.slider),
      build("div", { class: "ip-strip" }, ...this.frames),
      this.bars.root,
      build("p", { class: "ip-sentence" }, "What A has and B has not is put on C: z = C + s (A − B). "
        + "The strip shows C at the left, s = 1 in the middle and twice as much at the right."),
    );
  }

  refresh() {
    const { world, choice, engine, map } = this.app;
    this.slots.forEach(({ slot }, i) => slot.show(choice.sum[i]));
    const [a, b, c] = choice.sum.map((code) => world.latent(code));
    this.from = c;
    this.to = Float32Array.from(c, (v, j) => v + MOST_STRENGTH * (a[j] - b[j]));
    const z = straightWay(this.from, this.to, evenShares(STRENGTHS));
    map.showTrack(straightWay(c, this.at(1), evenShares(31)), 31, [["A", a], ["B", b], ["C", c]]);
    engine?.many("sum", z, STRENGTHS, (values, first, count) => {
      for (let i = 0; i < count; i++) {
        paintSample(world, this.frames[first + i], values, i * world.nFeatures);
      }
    });
    this.move(this.strength);
  }

  at(strength) {
    return straightWay(this.from, this.to, [strength / MOST_STRENGTH]);
  }

  move(strength) {
    this.strength = strength;
    const { world, engine, map } = this.app;
    const z = this.at(strength);
    this.slider.value = Math.round(1000 * strength);
    this.title.textContent = `s = ${strength.toFixed(2)}`;
    this.bars.show(z);
    map.showSpot(z);
    engine?.one("result", z, (values) => {
      paintSample(world, this.canvas, values);
      this.root.dataset.drawn = strength.toFixed(3);
    });
  }

  save(name) {
    saveCanvas(sheetOf(this.app.world, this.frames), `${name}-arithmetic.png`);
  }
}

const PLANE_SIDE = 15;
const GROUNDS = { quantiles: "The prior's quantiles", range: "The latents' range" };

/** Two latent dimensions as a grid of pictures. */
export class PlaneView {
  constructor(app) {
    this.app = app;
    this.slots = [];
    this.ground = "quantiles";
    this.tiles = new Tiles(app.world, PLANE_SIDE, PLANE_SIDE);
    this.choices = new Choices(GROUNDS, (name) => {
      this.ground = name;
      this.refresh();
    }, "Grid over");
    this.words = build("p", { class: "ip-sentence" });
    this.root = build(
      "div", { class: "ip-corners" }, this.choices.root,
      build("div", { class: "ip-corner-row" }, build("div", { class: "ip-fit" }, this.tiles.canvas)),
      this.words,
    );
    listenToTiles(this.tiles, app, (at) => this.z.subarray(2 * at, 2 * at + 2), (words) => {
      this.words.textContent = words;
    });
  }

  /** The values of dimension j at which the grid is decoded. */
  #values(j) {
    const { world } = this.app;
    const [low, high] = world.rangeOf(j);
    return Array.from({ length: PLANE_SIDE }, (_, i) => (this.ground === "range"
      ? low + ((high - low) * i) / (PLANE_SIDE - 1)
      : world.prior.quantile(j, (i + 0.5) / PLANE_SIDE)));
  }

  refresh() {
    const { engine, map } = this.app;
    this.choices.press(this.ground);
    const [across, up] = [this.#values(0), this.#values(1)];
    const n = PLANE_SIDE * PLANE_SIDE;
    this.z = new Float32Array(2 * n);
    for (let i = 0; i < n; i++) {
      this.z[2 * i] = across[i % PLANE_SIDE];
      this.z[2 * i + 1] = up[PLANE_SIDE - 1 - Math.floor(i / PLANE_SIDE)];
    }
    this.words.textContent = this.ground === "quantiles"
      ? "z1 grows to the right, z2 upwards. Each picture stands for an equal share of the prior."
      : `z1 grows to the right, from ${numberText(across[0], 1)} to ${numberText(across.at(-1), 1)}; `
        + `z2 upwards, from ${numberText(up[0], 1)} to ${numberText(up.at(-1), 1)}.`;
    map.showTrack(this.z, n, []);
    map.showSpot(null);
    this.tiles.canvas.dataset.painted = 0;
    engine?.many("plane", this.z, n, (values, first, count) => this.tiles.paint(values, first, count));
  }

  save(name) {
    saveCanvas(enlarged(this.tiles.canvas, this.app.world), `${name}-plane.png`);
  }
}
