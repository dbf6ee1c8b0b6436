/** The cluster studio: a row a cluster, sampled anew in the browser at every move of a slider. */
import { Card } from "./card.js";
import { Pen, gridPicture, saveCanvas, valuesOf } from "./picture.js";
import { LocalSource, ServedSource } from "./source.js";

/** Rows of samples of a prior that has no clusters. */
const PRIOR_ROWS = 10;
/** The page is told of new settings once they rest, in milliseconds. */
const REST = 400;
/** What stands above the rows and must stay in the window with them, and a row's size, in pixels. */
const ABOVE = 255;
/** So much higher is the page where it says why there are no rows to ask for. */
const WHY_NO_ROWS = 70;
const GAP = 4;
/** About so wide are a cluster's name and facts with the gaps between the columns. */
const ABOUT = 200;
const LEAST = 40;
const MOST = 84;

/**
 * @typedef {object} Line  a row of the grid
 * @property {any} row  what the message says of its cluster; null where there is none
 * @property {{button: HTMLButtonElement, canvas: HTMLCanvasElement}[]} cells
 * @property {HTMLCanvasElement|null} mean
 * @property {HTMLCanvasElement[]} real
 */

class Studio {
  constructor(root) {
    this.root = root;
    this.find = (selector) => root.querySelector(selector);
    this.card = new Card(this.find(".cs-card"), () => this.choose(null));
    this.stamp = "";
    this.drawn = 0;
    this.chosen = null;
    /** @type {Line[]} */
    this.lines = [];
    for (const input of root.querySelectorAll("[data-set]")) {
      input.addEventListener("input", () => this.set(input.dataset.set, Number(input.value)));
      input.addEventListener("change", () => this.#tell());
    }
    root.addEventListener("click", (event) => this.#click(event));
    root.addEventListener("keydown", (event) => event.key === "Escape" && this.choose(null));
  }

  update(data, setStateValue) {
    this.setStateValue = setStateValue;
    if (data.stamp === this.stamp) {
      if (data.served && this.source) this.#takeServed(data.served);
      return;
    }
    this.stamp = data.stamp;
    this.data = data;
    this.settings ??= { ...data.initial };
    this.source?.cancel();
    this.source = null;
    this.choose(null);
    delete this.root.dataset.ready;
    if (data.digest === null) {
      this.#begin(new ServedSource(data.served));
      return;
    }
    whenNetworks(data.digest).then((networks) => {
      if (this.data === data) this.#begin(new LocalSource(networks));
    });
  }

  #begin(source) {
    const { data } = this;
    this.source = source;
    this.pen = new Pen(source, data.limits);
    this.real = data.nearest && valuesOf(data.nearest);
    this.#build();
    this.root.dataset.ready = source.kind;
    this.draw();
  }

  #takeServed(served) {
    if (JSON.stringify(served.for) === JSON.stringify(this.source.for)) return;
    this.source.take(served);
    if (!this.source.knows(this.settings)) return;
    this.#build();
    this.draw();
  }

  /** A setting has moved: the samples follow within the same frame where there are few. */
  set(name, value) {
    if (this.settings[name] === value) return;
    const began = performance.now();
    this.settings = { ...this.settings, [name]: value };
    if (!this.source) return;
    if (name === "count" && this.source.knows(this.settings)) this.#build();
    this.draw(began);
  }

  /** Lines and their empty canvases, for so many samples as are asked for. */
  #build() {
    const { data, pen, settings: { count } } = this;
    const grid = this.find(".cs-grid");
    const rows = data.own ? data.rows : Array(PRIOR_ROWS).fill(null);
    const most = Math.max(0, ...data.rows.map((row) => row.nearest.length));
    const side = this.#side(rows.length);
    // In proportion, so that a narrow page shrinks samples and real ones alike.
    const columns = [`minmax(0, ${count}fr)`];
    let width = count * (side + 3);
    if (data.own) {
      columns.unshift("max-content", "minmax(28px, 1fr)");
      width += ABOUT + side;
    }
    if (most) {
      columns.push(`minmax(0, ${0.85 * most}fr)`);
      width += 0.85 * most * (side + 3);
    }
    grid.style.gridTemplateColumns = columns.join(" ");
    grid.style.maxWidth = `${Math.round(width)}px`;
    const shown = rows.map(() => []);
    this.lines = rows.map((row, r) => {
      const line = { row, cells: [], mean: null, real: [] };
      const parts = shown[r];
      if (row) {
        parts.push(this.#about(row));
        line.mean = pen.canvas();
        line.mean.title = `The decoded mean of cluster ${row.name}`;
        pen.draw(line.mean, this.source.means, row.cluster);
        parts.push(line.mean);
      }
      const samples = this.#box("cs-samples", count);
      for (let p = 0; p < count; p++) {
        const canvas = pen.canvas();
        const button = document.createElement("button");
        button.dataset.place = `${r}:${p}`;
        button.append(canvas);
        samples.append(button);
        line.cells.push({ button, canvas });
      }
      parts.push(samples);
      if (most) parts.push(this.#nearest(row, line, most));
      return line;
    });
    const order = data.own ? data.order : rows.map((_, r) => r);
    grid.replaceChildren(...(data.own ? this.#heads(most) : []), ...order.flatMap((r) => shown[r]));
    this.root.dataset.samples = rows.length * count;
  }

  /** Width of a sample: as large as lets all rows stand in the window, within reason. */
  #side(rows) {
    const { shape } = this.pen;
    const ratio = shape ? shape[0] / shape[1] : 64 / 110;
    const above = this.data.own ? ABOVE : ABOVE + WHY_NO_ROWS;
    const high = (window.innerHeight - above) / rows - GAP;
    return Math.round(Math.min(Math.max(high, LEAST), MOST) / Math.max(ratio, 0.5));
  }

  #heads(most) {
    const words = ["Cluster", "Mean", "Samples"];
    if (most) words.push(`Nearest real ${this.data.noun === "digit" ? "digits" : "samples"}`);
    return words.map((text) => {
      const head = Object.assign(document.createElement("div"), { className: "cs-head" });
      head.textContent = text;
      if (text.startsWith("Nearest")) head.title = `By latent distance, ${this.data.real}`;
      return head;
    });
  }

  #about(row) {
    const about = Object.assign(document.createElement("div"), { className: "cs-about" });
    const name = Object.assign(document.createElement("div"), { className: "cs-name" });
    name.textContent = row.name;
    name.style.cssText = `background:${row.colour};color:${row.ink}`;
    const facts = Object.assign(document.createElement("div"), { className: "cs-facts" });
    facts.replaceChildren(...row.lines.map((text) => {
      const line = document.createElement("div");
      line.textContent = text;
      return line;
    }));
    about.title = `Cluster ${row.name}, number ${row.cluster}: ${row.words}`;
    about.append(name, facts);
    return about;
  }

  #box(name, columns) {
    const box = Object.assign(document.createElement("div"), { className: name });
    box.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
    return box;
  }

  #nearest(row, line, most) {
    const box = this.#box("cs-real", most);
    for (const i of row.nearest) {
      const canvas = this.pen.canvas();
      this.pen.draw(canvas, this.real, i);
      const { labels } = this.data.nearest;
      canvas.title = labels ? `${this.data.noun} ${labels[i]}` : "";
      line.real.push(canvas);
      box.append(canvas);
    }
    return box;
  }

  /** The order of each row: by its own responsibilities if a person wants it so. */
  #order({ gamma, k, count }) {
    const { settings, data } = this;
    return this.lines.map((_, r) => {
      const places = Array.from({ length: count }, (_, i) => i);
      const own = (i) => gamma[(r * count + i) * k + r];
      return data.own && settings.sorted ? places.sort((a, b) => own(b) - own(a) || a - b) : places;
    });
  }

  draw(began = performance.now()) {
    const { source, lines } = this;
    if (!source) return;
    this.#words();
    // The server is told once a slider rests, and serves others.
    const isThere = source.knows(this.settings);
    this.root.classList.toggle("cs-waiting", !isThere);
    if (!isThere) return;
    const sample = source.sample(this.settings, lines.length, this.data.own);
    const { count } = sample;
    const order = this.#order(sample);
    this.sample = { ...sample, order };
    this.#drawCard();
    const places = order.flatMap((row, r) => row.map((i) => r * count + i));
    source.paint(sample, places, (place, values, i) => {
      if (lines !== this.lines) return;
      this.pen.draw(lines[Math.floor(place / count)].cells[place % count].canvas, values, i);
    }, () => {
      if (lines !== this.lines) return;
      this.#title(this.sample);
      this.drawn += 1;
      Object.assign(this.root.dataset, {
        drawn: this.drawn, milliseconds: (performance.now() - began).toFixed(2),
      });
    });
  }

  /** What hovering says, and which sample is chosen. */
  #title({ gamma, order, k, count }) {
    const { looks } = this.data;
    this.lines.forEach((line, r) => line.cells.forEach(({ button }, p) => {
      const at = (r * count + order[r][p]) * k;
      let c = r;
      if (!line.row) {
        c = 0;
        for (let other = 1; other < k; other++) if (gamma[at + other] > gamma[at + c]) c = other;
      }
      const share = gamma[at + c].toFixed(3);
      button.dataset.gamma = gamma[at + c].toFixed(5);
      button.title = line.row
        ? `γ = ${share} for its own cluster`
        : `γ = ${share} for ${looks[c].name}, of the fitted mixture`;
      button.setAttribute("aria-label", `Sample ${order[r][p] + 1}, ${button.title}`);
      const on = this.chosen?.row === r && this.chosen.index === order[r][p];
      button.classList.toggle("cs-on", on);
    }));
  }

  #words() {
    const { settings, data, root } = this;
    for (const input of root.querySelectorAll("[data-set]")) {
      const value = settings[input.dataset.set];
      if (Number(input.value) !== value) input.value = String(value);
      const shown = this.find(`[data-show=${input.dataset.set}]`);
      shown.textContent = input.dataset.set === "temperature" ? value.toFixed(2) : String(value);
    }
    this.find(".cs-switch").hidden = !data.own;
    for (const button of root.querySelectorAll("[data-order]")) {
      const on = (button.dataset.order === "gamma") === settings.sorted;
      button.setAttribute("aria-pressed", String(on));
    }
    const handwriting = data.noun === "digit" ? "the handwriting stays and the digit changes"
      : "the manner stays and the class changes";
    this.find(".cs-words").textContent = !data.own
      ? "Samples of the one prior N(0, I), in no order."
      : settings.sorted
        ? "In each row the samples that its cluster answers for most come first: columns no longer share their noise."
        : `Every row has the same noise: down a column ${handwriting}.`;
  }

  /** Shows a sample large, by row and by the number of its noise; null closes it. */
  choose(chosen) {
    this.chosen = chosen;
    if (!chosen) this.card.hide();
    if (!this.sample || !this.source) return;
    this.#drawCard();
    this.#title(this.sample);
  }

  #drawCard() {
    const { chosen, sample, source, pen, data } = this;
    if (!chosen) return;
    if (chosen.index >= sample.count) {
      this.chosen = null;
      this.card.hide();
      return;
    }
    const { gamma, k, count } = sample;
    const at = chosen.row * count + chosen.index;
    const canvas = pen.canvas();
    source.one(sample, at, (values, i) => pen.draw(canvas, values, i));
    const where = data.own ? `Cluster ${data.rows[chosen.row].name}` : "Sample of the prior";
    const looks = data.order.map((c) => ({ ...data.looks[c], gamma: gamma[at * k + c] }));
    this.card.show(where, canvas, looks);
  }

  #click(event) {
    const button = event.target.closest("button");
    if (!button || !this.source) return;
    const { act, order, place } = button.dataset;
    if (act === "dice") {
      let seed = this.settings.seed;
      while (seed === this.settings.seed) seed = Math.floor(1000 * Math.random());
      this.set("seed", seed);
      this.#tell();
    } else if (act === "save") saveCanvas(gridPicture(this), this.data.file);
    else if (order) {
      this.set("sorted", order === "gamma");
      this.#tell();
    } else if (place) {
      const [row, p] = place.split(":").map(Number);
      const index = this.sample.order[row][p];
      const again = this.chosen?.row === row && this.chosen.index === index;
      this.choose(again ? null : { row, index });
    }
  }

  #tell() {
    clearTimeout(this.telling);
    this.telling = setTimeout(() => this.setStateValue("settings", this.settings), REST);
  }

  destroy() {
    clearTimeout(this.telling);
    this.source?.cancel();
  }
}

/** Studios by the node that Streamlit gave them. */
const studios = new WeakMap();

/** Streamlit calls this whenever the data or the theme change. */
export default function showStudio({ parentElement, data, setStateValue }) {
  const root = parentElement.querySelector(".cs");
  let studio = studios.get(parentElement);
  if (studio?.root !== root) {
    studio?.destroy();
    studio = new Studio(root);
    studios.set(parentElement, studio);
  }
  studio.update(data, setStateValue);
  const shown = studio;
  return () => setTimeout(() => {
    if (root.isConnected || studios.get(parentElement) !== shown) return;
    shown.destroy();
    studios.delete(parentElement);
  }, 0);
}
