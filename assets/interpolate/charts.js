/** Along the path: p(c|z) as stacked areas, and the prior's log density. */
import { build, byName, numberText } from "./parts.js";

/** A cluster that nowhere has so much is not drawn. */
const LEAST_SHARE = 0.005;
/** Of the density's labels, in pixels: their height, and what the style keeps between them and the chart. */
const LABEL_HEIGHT = 18;
const AXIS_GAP = 6;

/** Round numbers between two others, about so many. */
export function roundSteps(low, high, count) {
  const rough = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough * 0.999);
  const found = [];
  for (let v = Math.ceil(low / step - 1e-9) * step; v <= high + step * 1e-9; v += step) {
    found.push(Math.abs(v) < step * 1e-9 ? 0 : v);
  }
  return found;
}

/** What the curve is the logarithm of: p(z), or what stands in for it. */
function densityTitle({ ownClusters, gaussian }) {
  if (gaussian) return `log p(z) under the prior${ownClusters ? "" : ", one Gaussian"}`;
  const gaussians = ownClusters ? "Gaussians that stand in" : "Gaussian that stands in";
  return `log density of the ${gaussians} for a prior`;
}

export class PathCharts {
  constructor(world) {
    this.world = world;
    const { ownClusters: own } = world.header;
    this.legend = build("div", { class: "ip-legend" });
    this.areas = build("canvas", { class: "ip-chart", "data-chart": "clusters" });
    this.density = build("canvas", { class: "ip-chart", "data-chart": "density" });
    this.markers = [0, 1].map(() => build("div", { class: "ip-marker" }));
    const title = own ? "p(c|z)" : "p(c|z) of the mixture fitted to the latents";
    this.value = build("span", { class: "ip-value" });
    this.axis = build("div", { class: "ip-axis", "aria-hidden": "true" });
    this.root = build(
      "div", { class: "ip-charts" },
      build("div", { class: "ip-chart-head" }, build("b", {}, title), this.legend),
      build("div", { class: "ip-chart-box" }, this.areas, this.markers[0]),
      build("div", { class: "ip-chart-head" }, build("b", {}, `${densityTitle(world.header)}, nats`), this.value),
      build("div", { class: "ip-chart-box" }, this.axis, this.density, this.markers[1]),
    );
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.areas.parentElement);
  }

  /** @param {Float32Array} shares  n * K  @param {Float32Array} logDensity  n */
  show(shares, logDensity) {
    Object.assign(this, { shares, logDensity, n: logDensity.length });
    const { k } = this.world.assigning;
    this.shown = [];
    for (let c = 0; c < k; c++) {
      let most = 0;
      for (let i = 0; i < this.n; i++) most = Math.max(most, shares[i * k + c]);
      if (most >= LEAST_SHARE) this.shown.push(c);
    }
    byName(this.world, this.shown);
    this.legend.replaceChildren(...this.shown.map((c) => {
      const { name, colour, ink } = this.world.looks[c];
      return build("i", { style: `background:${colour};color:${ink}` }, name);
    }));
    this.draw();
  }

  /** Puts the marker at a share of the way. */
  mark(t) {
    for (const marker of this.markers) marker.style.left = `${100 * t}%`;
    if (!this.logDensity) return;
    const at = t * (this.n - 1);
    const i = Math.min(this.n - 2, Math.floor(at));
    const value = this.logDensity[i] + (at - i) * (this.logDensity[i + 1] - this.logDensity[i]);
    this.value.textContent = numberText(value, 1);
  }

  draw() {
    if (!this.shares) return;
    this.#drawAreas();
    this.#drawDensity();
  }

  /** @returns {[CanvasRenderingContext2D, number, number]} a context in CSS pixels, and its size */
  #fresh(canvas) {
    const ratio = window.devicePixelRatio || 1;
    const { clientWidth: width, clientHeight: height } = canvas;
    canvas.width = Math.max(1, Math.round(width * ratio));
    canvas.height = Math.max(1, Math.round(height * ratio));
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    return [context, width, height];
  }

  #drawAreas() {
    const [context, width, height] = this.#fresh(this.areas);
    const { n, shares, world } = this;
    const { k } = world.assigning;
    const below = new Float64Array(n);
    for (const c of this.shown) {
      context.fillStyle = world.looks[c].colour;
      context.beginPath();
      for (let i = 0; i < n; i++) context.lineTo((i / (n - 1)) * width, height * (1 - below[i]));
      for (let i = 0; i < n; i++) below[i] = Math.min(1, below[i] + shares[i * k + c]);
      for (let i = n - 1; i >= 0; i--) context.lineTo((i / (n - 1)) * width, height * (1 - below[i]));
      context.fill();
    }
  }

  #drawDensity() {
    const [context, width, height] = this.#fresh(this.density);
    const { n, logDensity } = this;
    const style = getComputedStyle(this.root);
    let [low, high] = [Math.min(...logDensity), Math.max(...logDensity)];
    const room = Math.max(1, 0.12 * (high - low));
    [low, high] = [low - room, high + room];
    const y = (value) => 2 + (height - 4) * (1 - (value - low) / (high - low));
    const steps = roundSteps(low, high, 3).filter((step) => y(step) > 1 && y(step) < height - 1);
    context.globalAlpha = 0.18;
    context.fillStyle = style.color;
    for (const step of steps) context.fillRect(0, y(step), width, 1);
    context.globalAlpha = 1;
    const labels = steps.map((step) => {
      const top = Math.min(height - LABEL_HEIGHT / 2, Math.max(LABEL_HEIGHT / 2, y(step)));
      return build("span", { style: `top:${top}px` }, numberText(step));
    });
    this.axis.classList.remove("ip-axis-inside");
    this.axis.replaceChildren(...labels);
    // Beside the chart, where no curve runs through them; too long for the margin, on their lines.
    const margin = Number.parseFloat(getComputedStyle(this.root.parentElement).marginLeft);
    if (labels.some((label) => label.offsetWidth + AXIS_GAP > margin)) {
      this.axis.classList.add("ip-axis-inside");
      steps.forEach((step, i) => {
        const above = y(step) - LABEL_HEIGHT / 2;
        const middle = above > LABEL_HEIGHT / 2 ? above : y(step) + LABEL_HEIGHT / 2;
        labels[i].style.top = `${middle}px`;
      });
    }
    context.strokeStyle = style.getPropertyValue("--accent") || "#1578c4";
    context.lineWidth = 3;
    context.lineJoin = "round";
    context.beginPath();
    for (let i = 0; i < n; i++) context.lineTo((i / (n - 1)) * width, y(logDensity[i]));
    context.stroke();
  }

  destroy() {
    this.observer.disconnect();
  }
}
