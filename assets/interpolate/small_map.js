/** The map of the run's last frame, small: pointing decodes, clicking chooses, a path is drawn. */
import { build, paintSample } from "./parts.js";

/** A click so near to a point, in CSS pixels, chooses the point itself. */
const REACH = 9;
const EDGE = 12;
/** Milliseconds that a drawn digit flies. */
const FLIGHT = 700;

export class SmallMap {
  constructor(app) {
    this.app = app;
    const { world } = app;
    this.points = build("canvas", { class: "ip-map-points" });
    this.over = build("canvas", { class: "ip-map-over", "aria-label": world.header.caption });
    this.lens = build("canvas", { class: "ip-sample" });
    this.lensWords = build("span");
    this.card = build("div", { class: "ip-lens", hidden: true }, this.lens, this.lensWords);
    this.caption = build("div", { class: "ip-map-caption" }, world.header.caption);
    this.root = build(
      "div", { class: "ip-map" }, this.points, this.over, this.caption, this.card,
    );
    this.track = { places: [], marks: [] };
    this.spot = null;
    this.box = this.#boxOf(world);
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.root);
    this.#listen();
  }

  #boxOf({ places, n }) {
    let [left, right, bottom, top] = [Infinity, -Infinity, Infinity, -Infinity];
    for (let i = 0; i < n; i++) {
      left = Math.min(left, places[2 * i]);
      right = Math.max(right, places[2 * i]);
      bottom = Math.min(bottom, places[2 * i + 1]);
      top = Math.max(top, places[2 * i + 1]);
    }
    return { x: (left + right) / 2, y: (bottom + top) / 2, w: right - left || 1, h: top - bottom || 1 };
  }

  #listen() {
    const { over } = this;
    const place = (event) => {
      const box = over.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    over.addEventListener("pointermove", (event) => this.#hover(...place(event)));
    over.addEventListener("pointerleave", () => this.#leave());
    over.addEventListener("click", (event) => this.#choose(...place(event)));
  }

  #toScreen([x, y]) {
    return [this.width / 2 + (x - this.box.x) * this.scale, this.height / 2 - (y - this.box.y) * this.scale];
  }

  #toMap(px, py) {
    return [(px - this.width / 2) / this.scale + this.box.x, (this.height / 2 - py) / this.scale + this.box.y];
  }

  /** What lives under the pointer follows it. */
  #hover(px, py) {
    const { world, engine } = this.app;
    if (!engine) return;
    const z = world.latentAt(...this.#toMap(px, py));
    const { shares } = world.assigning.read(z, 1);
    const top = shares.reduce((best, share, c) => (share > shares[best] ? c : best), 0);
    this.lensWords.textContent = `${world.clusterName(top)}, ${Math.round(100 * shares[top])} %`;
    this.card.hidden = false;
    const { offsetWidth: w, offsetHeight: h } = this.card;
    const left = px + 16 + w < this.width ? px + 16 : px - 16 - w;
    const upper = Math.min(Math.max(0, py - h / 2), this.height - h);
    this.card.style.transform = `translate(${Math.max(0, left)}px, ${upper}px)`;
    engine.one("lens", z, (values) => {
      paintSample(world, this.lens, values);
      this.root.dataset.hovered = Number(this.root.dataset.hovered ?? 0) + 1;
    });
  }

  #leave() {
    this.card.hidden = true;
  }

  #choose(px, py) {
    const { world, app } = { world: this.app.world, app: this.app };
    let [best, least] = [-1, REACH * REACH];
    for (let i = 0; i < world.n; i++) {
      const [x, y] = this.#toScreen([world.places[2 * i], world.places[2 * i + 1]]);
      const distance = (x - px) ** 2 + (y - py) ** 2;
      if (distance < least) [best, least] = [i, distance];
    }
    if (best >= 0) app.pick(`p${best}`);
    else app.pickLatent(world.latentAt(...this.#toMap(px, py)));
  }

  /**
   * Draws a path, or a grid, and its ends.
   * @param {Float32Array|null} z  n latents
   * @param {[string, Float32Array][]} marks  names and latents
   */
  showTrack(z, n, marks) {
    const { world } = this.app;
    const places = [];
    for (let i = 0; i < n; i++) places.push(world.placeOf(z.subarray(i * world.dim, (i + 1) * world.dim)));
    this.track = { places, marks: marks.map(([name, latent]) => [name, world.placeOf(latent)]) };
    this.draw();
  }

  /** Where the picture that is shown lives. */
  showSpot(z) {
    cancelAnimationFrame(this.flight);
    this.spot = z ? this.app.world.placeOf(z) : null;
    this.draw();
  }

  /** Moves the spot to a latent's place; the first time from the edge on which one draws. */
  flyTo(z) {
    const target = this.app.world.placeOf(z);
    const start = this.spot ?? this.#toMap(0, this.height * 0.6);
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const began = performance.now();
    cancelAnimationFrame(this.flight);
    const step = (now) => {
      const share = calm ? 1 : Math.min(1, Math.max(0, (now - began) / FLIGHT));
      const eased = 1 - (1 - share) ** 3;
      this.spot = target.map((v, axis) => start[axis] + eased * (v - start[axis]));
      this.draw();
      this.root.dataset.flight = share.toFixed(2);
      if (share < 1) this.flight = requestAnimationFrame(step);
    };
    step(began);
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.root;
    if (!width || !height) return;
    const ratio = window.devicePixelRatio || 1;
    Object.assign(this, { width, height, ratio });
    this.scale = Math.min((width - 2 * EDGE) / this.box.w, (height - 2 * EDGE) / this.box.h);
    for (const canvas of [this.points, this.over]) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    this.#drawPoints();
    this.draw();
  }

  #drawPoints() {
    const { world } = this.app;
    const context = this.points.getContext("2d");
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    context.globalAlpha = 0.75;
    const size = world.n > 800 ? 3 : 4;
    for (let i = 0; i < world.n; i++) {
      const [x, y] = this.#toScreen([world.places[2 * i], world.places[2 * i + 1]]);
      context.fillStyle = world.colourOfPoint(i);
      context.fillRect(x - size / 2, y - size / 2, size, size);
    }
    this.root.dataset.points = world.n;
  }

  draw() {
    if (!this.width) return;
    const context = this.over.getContext("2d");
    const style = getComputedStyle(this.root);
    const [text, page] = [style.color, style.getPropertyValue("--page") || "#ffffff"];
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    const dot = (place, radius) => {
      context.beginPath();
      context.arc(...this.#toScreen(place), radius, 0, 2 * Math.PI);
    };
    for (const place of this.track.places) {
      dot(place, 3);
      context.fillStyle = text;
      context.fill();
      context.strokeStyle = page;
      context.lineWidth = 1;
      context.stroke();
    }
    if (this.spot) {
      dot(this.spot, 9);
      context.strokeStyle = page;
      context.lineWidth = 6;
      context.stroke();
      context.strokeStyle = style.getPropertyValue("--accent") || "#1578c4";
      context.lineWidth = 3.5;
      context.stroke();
      this.root.dataset.spot = this.#toScreen(this.spot).map((v) => v.toFixed(1)).join(",");
    } else {
      delete this.root.dataset.spot;
    }
    context.font = `700 16px ${style.fontFamily}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    for (const [name, place] of this.track.marks) {
      dot(place, name ? 11 : 6);
      context.fillStyle = text;
      context.fill();
      context.fillStyle = page;
      const [x, y] = this.#toScreen(place);
      context.fillText(name, x, y + 1);
    }
  }

  destroy() {
    cancelAnimationFrame(this.flight);
    this.observer.disconnect();
  }
}
