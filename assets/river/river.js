/**
 * Clusters through time: a column for each chosen moment, a stream for the points that go from
 * one cluster to another. The counts come from Python; here they are laid out and drawn.
 */

import { inLines, svgElement } from "../drawing/svg.js";

/** Of the lines above a column: how high a title's are, and a note's. */
const TITLE_LINE = 22;
const NOTE_LINE = 20;
const GAP = 7;
const BAR = 46;
/** A bar must be so high to carry its name. */
const NAME_HEIGHT = 14;
const ROOMY = 19;

/**
 * @typedef {object} Node
 * @property {string} name
 * @property {string} colour
 * @property {string} ink  black or white, to be read on the colour
 * @property {number} count
 * @property {string} words  what the cluster holds
 *
 * @typedef {object} River
 * @property {{title: string, note: string, nodes: Node[]}[]} columns
 * @property {{from: number, to: number, count: number, words: string}[][]} flows  one list for
 *   each pair of neighbouring columns
 * @property {string} label  for those who do not see it
 * @property {number} height
 */

class RiverView {
  constructor(root) {
    this.root = root;
    this.svg = root.querySelector("svg");
    this.card = root.querySelector(".rv-card");
    this.river = null;
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(root);
    root.addEventListener("pointermove", (event) => this.#point(event));
    root.addEventListener("pointerleave", () => this.#choose(null));
    root.addEventListener("focusin", (event) => this.#choose(event.target.closest("[data-words]")));
    root.addEventListener("focusout", () => this.#choose(null));
    root.addEventListener("keydown", (event) => event.key === "Escape" && this.#choose(null));
  }

  show(/** @type {River} */ river) {
    this.river = river;
    this.width = 0;
    this.draw();
  }

  draw() {
    const width = this.root.clientWidth;
    if (!this.river || !width || width === this.width) return;
    this.width = width;
    const { columns, flows, height, label } = this.river;
    const { svg } = this;
    svg.replaceChildren();
    svg.setAttribute("width", String(width));
    svg.setAttribute("height", String(height));
    svg.setAttribute("aria-label", label);
    this.heads = this.#writeHeads(width);
    const places = this.#layOut(width);
    flows.forEach((streams, c) => this.#drawStreams(streams, c, places));
    columns.forEach((column, c) => this.#drawColumn(column, c, places));
    this.#choose(null);
    Object.assign(this.root.dataset, {
      columns: columns.length,
      flows: flows.reduce((sum, streams) => sum + streams.length, 0),
    });
  }

  /** Lines of the titles and notes, so that neighbours never meet; and how high all of them are. */
  #writeHeads(width) {
    const { columns } = this.river;
    const step = columns.length > 1 ? (width - BAR) / (columns.length - 1) : width;
    // The outer ones begin and end at the edge, the others lie around the middle of their column.
    const room = (c) => (c === 0 || c === columns.length - 1 ? (step + BAR) / 2 : step) - 8;
    const probe = svgElement("text", {});
    this.svg.append(probe);
    const measured = (name) => (words) => {
      probe.setAttribute("class", name);
      probe.textContent = words;
      return probe.getComputedTextLength();
    };
    const lines = columns.map(({ title, note }, c) => ({
      title: inLines(title, room(c), measured("rv-title")),
      note: note ? inLines(note, room(c), measured("")) : [],
    }));
    probe.remove();
    const most = (part) => Math.max(0, ...lines.map((head) => head[part].length));
    const notes = most("title") * TITLE_LINE;
    return { lines, notes, height: notes + most("note") * NOTE_LINE + 14 };
  }

  /** Left edge of each column, and top and height of each of its bars. */
  #layOut(width) {
    const { columns, height } = this.river;
    const head = this.heads.height;
    const most = Math.max(...columns.map(({ nodes }) => nodes.length));
    const total = Math.max(1, ...columns.map(({ nodes }) => nodes.reduce((s, n) => s + n.count, 0)));
    const unit = (height - head - 4 - GAP * (most - 1)) / total;
    this.unit = unit;
    const step = columns.length > 1 ? (width - BAR) / (columns.length - 1) : 0;
    return columns.map(({ nodes }, c) => {
      // Columns of fewer bars have wider gaps: all are of one height.
      const used = nodes.reduce((s, n) => s + n.count, 0) * unit;
      const gap = nodes.length > 1 ? (height - head - 4 - used) / (nodes.length - 1) : 0;
      let top = head;
      return {
        x: c * step,
        bars: nodes.map(({ count }) => {
          const bar = { top, height: count * unit };
          top += bar.height + gap;
          return bar;
        }),
      };
    });
  }

  #drawStreams(streams, c, places) {
    const [left, right] = [places[c], places[c + 1]];
    const leaves = left.bars.map((bar) => bar.top);
    const arrives = right.bars.map((bar) => bar.top);
    const starts = new Map();
    const ends = new Map();
    const by = (a, b) => (x, y) => x[a] - y[a] || x[b] - y[b];
    for (const flow of [...streams].sort(by("from", "to"))) {
      starts.set(flow, leaves[flow.from]);
      leaves[flow.from] += flow.count * this.unit;
    }
    for (const flow of [...streams].sort(by("to", "from"))) {
      ends.set(flow, arrives[flow.to]);
      arrives[flow.to] += flow.count * this.unit;
    }
    const [x0, x1] = [left.x + BAR, right.x];
    const middle = (x0 + x1) / 2;
    // The thin ones last: they lie above the broad ones.
    for (const flow of [...streams].sort((a, b) => b.count - a.count)) {
      const [y0, y1, wide] = [starts.get(flow), ends.get(flow), flow.count * this.unit];
      const path = svgElement("path", {
        class: "rv-flow",
        d: `M${x0},${y0}C${middle},${y0} ${middle},${y1} ${x1},${y1}`
          + `V${y1 + wide}C${middle},${y1 + wide} ${middle},${y0 + wide} ${x0},${y0 + wide}Z`,
        fill: this.#paint(c, flow, x0, x1),
        "data-words": flow.words,
        "data-ends": `${c}:${flow.from} ${c + 1}:${flow.to}`,
      });
      this.svg.append(path);
    }
  }

  /** One colour, or a passage from that of the one cluster to that of the other. */
  #paint(c, flow, x0, x1) {
    const { columns } = this.river;
    const [a, b] = [columns[c].nodes[flow.from].colour, columns[c + 1].nodes[flow.to].colour];
    if (a === b) return a;
    const id = `${this.root.id}-${c}-${flow.from}-${flow.to}`;
    // Where a gradient's box has no height it paints nothing: it is given in the page's units.
    const gradient = svgElement("linearGradient", { id, gradientUnits: "userSpaceOnUse", x1: x0, x2: x1 });
    gradient.append(svgElement("stop", { offset: "25%", "stop-color": a }));
    gradient.append(svgElement("stop", { offset: "75%", "stop-color": b }));
    this.svg.append(gradient);
    return `url(#${id})`;
  }

  #drawColumn({ nodes }, c, places) {
    const { x, bars } = places[c];
    const isLast = c === places.length - 1 && c > 0;
    const at = { x: c === 0 ? 0 : isLast ? x + BAR : x + BAR / 2 };
    at["text-anchor"] = c === 0 ? "start" : isLast ? "end" : "middle";
    const { lines, notes } = this.heads;
    lines[c].title.forEach((words, i) => {
      this.svg.append(svgElement("text", { ...at, class: "rv-title", y: 18 + i * TITLE_LINE }, words));
    });
    lines[c].note.forEach((words, i) => {
      this.svg.append(svgElement("text", { ...at, y: notes + 18 + i * NOTE_LINE }, words));
    });
    nodes.forEach((node, i) => {
      const bar = bars[i];
      const group = svgElement("g", {
        class: "rv-node", tabindex: "0", role: "listitem",
        "data-words": node.words, "data-node": `${c}:${i}`, "aria-label": node.words,
      });
      group.append(svgElement("rect", {
        x, y: bar.top, width: BAR, height: Math.max(bar.height, 1.5), rx: 4, fill: node.colour,
      }));
      if (bar.height >= NAME_HEIGHT) {
        const name = node.name.length > 4 ? `${node.name.slice(0, 3)}…` : node.name;
        const text = svgElement("text", { x: x + BAR / 2, y: bar.top + bar.height / 2 + 1 }, name);
        text.style.fill = node.ink;
        if (bar.height < ROOMY) text.style.fontSize = "15px";
        group.append(text);
      }
      this.svg.append(group);
    });
  }

  #point(event) {
    const found = event.target.closest?.("[data-words]") ?? null;
    this.#choose(found, event);
  }

  /** Lights up a stream, or a bar with all its streams, and tells about it. */
  #choose(element, event) {
    const { root, svg, card } = this;
    for (const lit of svg.querySelectorAll(".rv-on")) lit.classList.remove("rv-on");
    svg.classList.toggle("rv-chosen", element !== null);
    card.hidden = element === null;
    if (element === null) return;
    if (element.dataset.node) {
      for (const stream of svg.querySelectorAll(".rv-flow")) {
        const touches = stream.dataset.ends.split(" ").includes(element.dataset.node);
        stream.classList.toggle("rv-on", touches);
      }
    } else {
      element.classList.add("rv-on");
    }
    const [head, ...rest] = element.dataset.words.split("\n");
    const strong = document.createElement("b");
    strong.textContent = head;
    card.replaceChildren(strong, rest.join(" "));
    const frame = root.getBoundingClientRect();
    const box = element.getBoundingClientRect();
    const px = (event ? event.clientX : box.right) - frame.left;
    const py = (event ? event.clientY : box.top) - frame.top;
    const { offsetWidth: w, offsetHeight: h } = card;
    const left = px + 18 + w < frame.width ? px + 18 : Math.max(0, px - w - 18);
    const top = Math.min(Math.max(0, py - h / 2), Math.max(0, frame.height - h));
    card.style.transform = `translate(${left}px, ${top}px)`;
  }

  destroy() {
    this.observer.disconnect();
  }
}

/** Rivers by the node that Streamlit gave them. */
const rivers = new WeakMap();
let made = 0;

/** Streamlit calls this whenever the data or the theme change. */
export default function showRiver({ parentElement, data }) {
  const root = parentElement.querySelector(".rv");
  let view = rivers.get(parentElement);
  if (view?.root !== root) {
    view?.destroy();
    root.id = `rv-${made++}`;
    view = new RiverView(root);
    rivers.set(parentElement, view);
  }
  view.show(data);
  const shown = view;
  return () => setTimeout(() => {
    if (root.isConnected || rivers.get(parentElement) !== shown) return;
    shown.destroy();
    rivers.delete(parentElement);
  }, 0);
}
