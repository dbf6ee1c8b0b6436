/** Step 3: the ELBO's two terms by epoch, one alone or both. */
import { freshContext, make, Slide, typeSize } from "./parts.js";

/** Milliseconds that the curves take to be drawn. */
const DRAWN_IN = 2500;

export class TermsView {
  constructor(app) {
    this.app = app;
    this.data = app.world.header;
    const last = Math.max(0, this.data.epochs.length - 1);
    this.at = last;
    this.both = true;
    this.buttons = [["Only reconstruction", false], ["Both", true]].map(([title, both]) => make(
      "button", { type: "button", "data-act": both ? "both" : "alone", on: {
        click: () => { this.both = both; this.refresh(); },
      } }, title,
    ));
    this.panels = [
      ["Reconstruction, −E[log p(x|z)]", this.data.reconstruction, "--accent"],
      ["KL(q(z|x) ‖ p(z))", this.data.kl, "--second"],
    ].map(([title, values, colour]) => {
      const value = make("b");
      const canvas = make("canvas", { class: "ls-curve", role: "img", "aria-label": title });
      const root = make("div", { class: "ls-panel" },
        make("div", { class: "ls-panel-head" }, make("span", {}, title), value), canvas);
      return { root, canvas, values, colour, value };
    });
    this.slide = new Slide({
      name: "epoch", title: "Epoch", min: 0, max: last, step: 1, value: last,
      words: (v) => `${this.data.epochs[v] ?? "–"}`,
      onInput: (v) => { this.stop(); this.at = v; this.refresh(); },
    });
    const play = make("button", { type: "button", "data-act": "play", on: {
      click: () => this.play(),
    } }, "▶ Play");
    this.words = make("p", { class: "ls-words", "aria-live": "polite" });
    this.root = make("div", { class: "ls-terms" },
      make("div", { class: "ls-row" }, ...this.buttons),
      ...this.panels.map(({ root }) => root),
      make("div", { class: "ls-row" }, play, this.slide.root),
      this.words);
    this.observer = new ResizeObserver(() => this.refresh());
    this.observer.observe(this.root);
    this.refresh();
  }

  play() {
    this.stop();
    const last = this.data.epochs.length - 1;
    if (last < 1) return;
    const began = performance.now();
    const step = (now) => {
      if (!this.root.isConnected) return;
      this.at = Math.min(last, (last * (now - began)) / DRAWN_IN);
      this.slide.set(Math.round(this.at));
      this.refresh();
      if (this.at < last) this.request = requestAnimationFrame(step);
    };
    this.request = requestAnimationFrame(step);
  }

  stop() {
    cancelAnimationFrame(this.request);
  }

  refresh() {
    this.buttons.forEach((button, i) => button.setAttribute("aria-pressed", Boolean(i) === this.both));
    this.root.dataset.both = this.both;
    this.root.dataset.at = Math.round(this.at);
    this.words.textContent = this.data.epochs.length
      ? (this.both ? this.data.both : this.data.alone) : "This run's metrics hold no such terms.";
    this.panels.forEach((panel, i) => {
      panel.root.classList.toggle("ls-dim", i === 1 && !this.both);
      const value = panel.values[Math.round(this.at)];
      panel.value.textContent = value === undefined ? "" : `${value.toFixed(1)} nats`;
      this.#drawCurve(panel);
    });
  }

  show() {}

  #drawCurve({ canvas, values, colour }) {
    if (!canvas.clientWidth || !values.length) return;
    const [context, width, height] = freshContext(canvas);
    const style = getComputedStyle(this.root);
    const type = 0.85 * typeSize();
    let [low, high] = [Math.min(...values), Math.max(...values)];
    const room = Math.max(0.5, 0.08 * (high - low));
    [low, high] = [low - room, high + room];
    const left = 3.2 * type;
    const n = values.length;
    const x = (i) => left + ((width - left - type) * i) / Math.max(1, n - 1);
    const y = (value) => height - 4 - ((height - 8) * (value - low)) / (high - low);
    context.font = `400 ${type}px ${style.fontFamily}`;
    context.textBaseline = "middle";
    context.textAlign = "right";
    for (const value of [low + room, (low + high) / 2, high - room]) {
      context.globalAlpha = 0.2;
      context.fillStyle = style.color;
      context.fillRect(left, y(value), width - left, 1);
      context.globalAlpha = 0.85;
      context.fillText(value.toFixed(high < 20 ? 1 : 0), left - 6, Math.min(height - type / 2, Math.max(type / 2, y(value))));
    }
    const line = (until) => {
      context.beginPath();
      for (let i = 0; i <= Math.floor(until); i++) context.lineTo(x(i), y(values[i]));
      const rest = until - Math.floor(until);
      if (rest > 0) {
        const i = Math.floor(until);
        context.lineTo(x(until), y(values[i] + rest * (values[i + 1] - values[i])));
      }
      context.stroke();
    };
    context.strokeStyle = style.getPropertyValue(colour);
    context.lineWidth = type / 5;
    context.lineJoin = "round";
    context.globalAlpha = 0.25;
    line(n - 1);
    context.globalAlpha = 1;
    line(Math.min(n - 1, this.at));
    const i = Math.min(n - 1, Math.round(this.at));
    context.fillStyle = style.getPropertyValue(colour);
    context.beginPath();
    context.arc(x(i), y(values[i]), type / 2.6, 0, 7);
    context.fill();
  }

  destroy() {
    this.stop();
    this.observer.disconnect();
  }
}
