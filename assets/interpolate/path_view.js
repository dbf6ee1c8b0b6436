/** The path from A to B: a slider, a film strip, and what the prior says along the way. */
import { build, byName, Choices, GammaBars, paintSample, percentOf, saveCanvas, sheetOf, Slot } from "./parts.js";
import { evenShares, makeWay, WAYS } from "./paths.js";
import { PathCharts } from "./charts.js";
import { pathWords } from "./words.js";

const FRAMES = 11;
/** Steps of the curves. */
const STEPS = 241;
/** Milliseconds from A to B while it plays. */
const TRAVEL = 3500;

export class PathView {
  constructor(app) {
    this.app = app;
    const { world } = app;
    this.t = app.choice.t;
    /** The place that the choice held when it was taken over. */
    this.taken = this.t;
    this.a = new Slot(app, "A", 0);
    this.b = new Slot(app, "B", 1);
    this.slots = [[this.a, "a"], [this.b, "b"]].map(([slot, name]) => ({
      slot, get: () => app.choice[name], set: (code) => { app.choice[name] = code; },
    }));
    this.canvas = build("canvas", { class: "ip-sample ip-now" });
    this.ways = new Choices(WAYS, (way) => app.change(() => { app.choice.way = way; }), "Way");
    this.play = build("button", { type: "button", "data-act": "play", on: {
      click: () => this.toggle(),
    } }, "▶ Play");
    this.bars = new GammaBars(world);
    this.slider = build("input", {
      type: "range", min: 0, max: 1000, step: 1, class: "ip-slider", "aria-label": "Place on the path",
      on: {
        input: () => { this.pause(); this.move(this.slider.value / 1000); },
        change: () => this.rest(),
      },
    });
    this.frames = Array.from({ length: FRAMES }, (_, i) => build("canvas", {
      class: "ip-sample", title: `${Math.round((100 * i) / (FRAMES - 1))} % of the way`,
      on: { click: () => { this.pause(); this.move(i / (FRAMES - 1)); this.rest(); } },
    }));
    this.charts = new PathCharts(world);
    this.sentence = build("p", { class: "ip-sentence", "aria-live": "polite" });
    this.root = build(
      "div", { class: "ip-path" },
      build(
        "div", { class: "ip-ends" }, this.a.root,
        build("div", { class: "ip-ways" }, this.ways.root, this.play),
        build("div", { class: "ip-now-box" }, this.canvas),
        this.bars.root, this.b.root,
      ),
      build("div", { class: "ip-inset" }, this.slider),
      build("div", { class: "ip-strip" }, ...this.frames),
      build("div", { class: "ip-inset ip-grow" }, this.charts.root),
      this.sentence,
    );
    this.travel = { going: false, forward: true, last: 0, request: 0 };
  }

  refresh() {
    const { world, choice, engine } = this.app;
    const [from, to] = [world.latent(choice.a), world.latent(choice.b)];
    this.a.show(choice.a);
    this.b.show(choice.b);
    if (choice.t !== this.taken) this.t = this.taken = choice.t;
    this.ways.press(choice.way);
    const way = makeWay(from, to, choice.way, world.assigning);
    this.way = way;
    const z = way.at(evenShares(STEPS));
    const { shares } = world.assigning.read(z, STEPS);
    const density = world.prior.read(z, STEPS);
    this.charts.show(shares, density.logDensity);
    this.sentence.textContent = pathWords(world, choice.way, way.through, shares, density);
    this.app.map.showTrack(way.at(evenShares(61)), 61, [["A", from], ["B", to]]);
    engine?.many("strip", way.at(evenShares(FRAMES)), FRAMES, (values, first, count) => {
      for (let i = 0; i < count; i++) {
        paintSample(world, this.frames[first + i], values, i * world.nFeatures);
      }
      this.root.dataset.frames = first + count;
    });
    const order = byName(world, [...Array(world.assigning.k).keys()]);
    const most = (c) => Math.max(...Array.from({ length: STEPS }, (_, i) => shares[i * order.length + c]));
    this.bars.offer(order.map((c) => [c, most(c)]));
    this.move(this.t);
  }

  /** The place is kept, in the link too, once nothing moves. */
  rest() {
    const t = Math.round(1000 * this.t) / 1000;
    if (t === this.taken) return;
    this.taken = t;
    this.app.note(() => { this.app.choice.t = t; });
  }

  /** Goes to a share of the way: the picture, the bars, the markers. */
  move(t) {
    this.t = t;
    const { world, engine, map } = this.app;
    const z = this.way.at([t]);
    this.slider.value = Math.round(1000 * t);
    this.slider.setAttribute("aria-valuetext", `${percentOf(t)} of the way`);
    this.bars.show(z);
    this.charts.mark(t);
    map.showSpot(z);
    this.root.dataset.t = t.toFixed(3);
    engine?.one("now", z, (values) => {
      paintSample(world, this.canvas, values);
      this.root.dataset.drawn = t.toFixed(3);
    });
  }

  toggle() {
    if (!this.travel.going) {
      this.start();
      return;
    }
    this.pause();
    this.rest();
  }

  start() {
    const { travel } = this;
    travel.going = true;
    travel.last = performance.now();
    this.play.textContent = "❚❚ Pause";
    const step = (now) => {
      if (!travel.going || !this.root.isConnected) {
        this.pause();
        return;
      }
      const share = Math.min(100, now - travel.last) / TRAVEL;
      travel.last = now;
      const next = this.t + (travel.forward ? share : -share);
      if (next >= 1 || next <= 0) travel.forward = next <= 0;
      this.move(Math.min(1, Math.max(0, next)));
      travel.request = requestAnimationFrame(step);
    };
    travel.request = requestAnimationFrame(step);
  }

  pause() {
    cancelAnimationFrame(this.travel.request);
    this.travel.going = false;
    this.play.textContent = "▶ Play";
  }

  /** What is taken away: the film strip. */
  save(name) {
    saveCanvas(sheetOf(this.app.world, this.frames), `${name}-path.png`);
  }

  destroy() {
    this.pause();
    this.charts.destroy();
  }
}
