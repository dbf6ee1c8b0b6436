/** A drawn digit: centred as MNIST's were, encoded in the browser, shown on the map. */
import { build, GammaBars, paintSample, saveCanvas, sheetOf } from "./parts.js";
import { centredDrawing } from "./centring.js";
import { textOfNumbers } from "./message.js";

/** Edge of a pad in its own pixels, and the pen's width. */
const PAD = 280;
const PEN = 22;

/** A square to draw on with mouse, pen or finger. */
export class DrawingPad {
  /**
   * @param {number[][][]} strokes  What is drawn already; it is added to, and outlives this pad.
   * @param {(picture: Float32Array|null, isDone: boolean) => void} onInk  null: nothing is drawn
   */
  constructor(world, strokes, onInk) {
    this.world = world;
    this.onInk = onInk;
    this.strokes = strokes;
    this.pen = null;
    this.canvas = build("canvas", {
      class: "ip-pad", width: PAD, height: PAD, "aria-label": "Draw a digit here", role: "img",
    });
    this.context = this.canvas.getContext("2d", { willReadFrequently: true });
    this.hint = build("span", { class: "ip-hint" }, "Draw a digit here");
    this.root = build(
      "div", { class: "ip-pad-box" }, this.canvas, this.hint,
      build(
        "div", { class: "ip-row" },
        build("button", { type: "button", "data-act": "undo", on: { click: () => this.undo() } }, "Undo"),
        build("button", { type: "button", "data-act": "clear", on: { click: () => this.clear() } }, "Clear"),
      ),
    );
    this.#listen();
    this.#draw();
  }

  #listen() {
    const { canvas } = this;
    const place = (event) => {
      const box = canvas.getBoundingClientRect();
      return [((event.clientX - box.left) / box.width) * PAD, ((event.clientY - box.top) / box.height) * PAD];
    };
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button || this.pen !== null) return;
      event.preventDefault();
      canvas.setPointerCapture(event.pointerId);
      this.pen = event.pointerId;
      this.strokes.push([place(event)]);
      this.#changed(false);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (event.pointerId !== this.pen) return;
      const between = event.getCoalescedEvents?.() ?? [];
      this.strokes.at(-1).push(...(between.length ? between : [event]).map(place));
      this.#changed(false);
    });
    const end = (event) => {
      if (event.pointerId !== this.pen) return;
      this.pen = null;
      this.#changed(true);
    };
    canvas.addEventListener("pointerup", end);
    canvas.addEventListener("pointercancel", end);
  }

  undo() {
    this.strokes.pop();
    this.#changed(true);
  }

  clear() {
    this.strokes.length = 0;
    this.#changed(true);
  }

  /** Tells again what is drawn: to a model that has not seen it. */
  again() {
    if (this.strokes.length) this.#changed(true);
  }

  #draw() {
    const { context } = this;
    context.fillStyle = "#000000";
    context.fillRect(0, 0, PAD, PAD);
    Object.assign(context, { strokeStyle: "#ffffff", lineWidth: PEN, lineCap: "round", lineJoin: "round" });
    for (const stroke of this.strokes) {
      context.beginPath();
      context.moveTo(...stroke[0]);
      // A dot is a stroke that goes nowhere.
      for (const corner of stroke) context.lineTo(...corner);
      context.stroke();
    }
  }

  #changed(isDone) {
    this.#draw();
    this.hint.hidden = this.strokes.length > 0;
    if (!this.strokes.length) {
      this.onInk(null, isDone);
      return;
    }
    const { data } = this.context.getImageData(0, 0, PAD, PAD);
    const ink = new Float32Array(PAD * PAD);
    for (let i = 0; i < ink.length; i++) ink[i] = data[4 * i] / 255;
    const { shape, header: { box } } = this.world;
    this.onInk(centredDrawing(ink, PAD, PAD, shape, box), isDone);
  }
}

/** Real digits that lie nearest to the drawn one. */
const LIKE_IT = 8;

export class DrawView {
  constructor(app) {
    this.app = app;
    const { world } = app;
    this.slots = [];
    if (!world.header.canDraw) {
      this.root = build("p", { class: "ip-sentence" }, world.header.whyNoDrawing);
      return;
    }
    this.pad = new DrawingPad(world, app.strokes, (picture) => this.#take(picture));
    this.seen = build("canvas", { class: "ip-sample" });
    this.rebuilt = build("canvas", { class: "ip-sample" });
    this.bars = new GammaBars(world);
    this.like = Array.from({ length: LIKE_IT }, () => build("canvas", { class: "ip-sample" }));
    this.uses = ["a", "b"].map((name) => build("button", {
      type: "button", disabled: true, "data-use": name,
      on: { click: () => app.change(() => {
        app.choice[name] = `z${textOfNumbers(this.z)}`;
        app.choice.view = "path";
      }) },
    }, `Use as ${name.toUpperCase()}`));
    const [height, width] = world.shape;
    const figure = (canvas, words) => build("figure", {}, canvas, build("figcaption", {}, words));
    this.words = build("p", { class: "ip-sentence" }, "Draw on the left: the digit is fitted into a box "
      + "and centred as the data were, encoded, and flies to its place on the map.");
    this.root = build(
      "div", { class: "ip-draw" },
      build("div", { class: "ip-draw-pad" }, this.pad.root),
      build("div", { class: "ip-draw-seen" },
        figure(this.seen, `What the model sees, ${height} × ${width}`),
        figure(this.rebuilt, "Its reconstruction")),
      build("div", { class: "ip-draw-bars" }, build("b", {}, "p(c|z)"), this.bars.root),
      build("div", { class: "ip-draw-like" }, build("b", {}, "Real ones nearest to it in latent space"),
        build("div", { class: "ip-strip" }, ...this.like)),
      build("div", { class: "ip-row" }, ...this.uses),
      this.words,
    );
  }

  refresh() {
    const { map } = this.app;
    map.showTrack(null, 0, []);
    if (this.z) map.flyTo(this.z);
    else map.showSpot(null);
    // Another epoch's networks have come: how did they see this digit?
    if (!this.z && this.app.engine) this.pad?.again();
  }

  #take(picture) {
    const { app } = this;
    for (const use of this.uses) use.disabled = picture === null;
    if (picture === null) {
      this.z = null;
      app.map.showSpot(null);
      for (const canvas of [this.seen, this.rebuilt, ...this.like]) canvas.width = canvas.width;
      return;
    }
    paintSample(app.world, this.seen, picture);
    app.engine?.encode(picture, (z) => this.#show(z));
  }

  #show(z) {
    const { world, engine, map } = this.app;
    this.z = Float32Array.from(z);
    this.bars.show(z);
    map.flyTo(z);
    world.nearestToLatent(z, LIKE_IT).forEach(({ i }, at) => {
      paintSample(world, this.like[at], world.realPicture(`p${i}`));
    });
    this.root.dataset.top = this.bars.root.dataset.top;
    engine.one("rebuilt", z, (values) => {
      paintSample(world, this.rebuilt, values);
      this.root.dataset.drawn = Number(this.root.dataset.drawn ?? 0) + 1;
    });
  }

  save(name) {
    if (!this.z) return;
    saveCanvas(sheetOf(this.app.world, [this.seen, this.rebuilt, ...this.like]), `${name}-drawn.png`);
  }
}
