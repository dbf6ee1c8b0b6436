import { inLines, svgElement } from "../drawing/svg.js";

const NAME_LINE = 24;
/** How each chart was left, by its key: the zoom comes back when the page does. */
const remembered = new Map();
const charts = new WeakMap();

function node(parent, name, attributes, text) {
  const made = svgElement(name, attributes, text);
  parent.appendChild(made);
  return made;
}

/** Round numbers between two others, about so many. */
function roundNumbers(low, high, count) {
  const rough = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough * 0.999);
  const found = [];
  for (let v = Math.ceil(low / step - 1e-9) * step; v <= high + step * 1e-9; v += step) {
    found.push(Math.abs(v) < step * 1e-9 ? 0 : v);
  }
  return found;
}

/** A number as it is shown, with no fewer than so many decimals. */
function written(value, unit, exact, decimals = 0) {
  if (unit === "percent") return `${(100 * value).toFixed(Math.max(decimals - 2, exact ? 1 : 0))} %`;
  const size = Math.abs(value);
  const usual = size >= 100 ? (exact ? 1 : 0) : size >= 10 || value === 0 ? 1 : 2;
  return value.toFixed(Math.max(decimals, usual));
}

/** How many decimals tell round numbers apart. */
function decimalsOf(numbers) {
  const step = numbers.length > 1 ? numbers[1] - numbers[0] : 1;
  return Math.min(10, Math.max(0, Math.ceil(-Math.log10(step) - 1e-9)));
}

class Chart {
  constructor(root) {
    this.root = root;
    this.zoom = null;
    this.drag = null;
    this.hover = null;
    this.areas = [];
    const bar = document.createElement("div");
    bar.className = "bar";
    this.hint = Object.assign(document.createElement("span"), { className: "hint" });
    this.whole = Object.assign(document.createElement("button"), {
      type: "button", textContent: "Show all epochs", hidden: true,
    });
    this.whole.addEventListener("click", () => this.setZoom(null));
    this.svg = svgElement("svg");
    bar.append(this.hint, this.whole);
    root.replaceChildren(this.svg, bar);
    this.measure = document.createElement("canvas").getContext("2d");
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(root);
    this.listen();
  }

  listen() {
    const { svg } = this;
    svg.addEventListener("pointerdown", (event) => {
      const at = this.place(event);
      if (!at || event.button) return;
      svg.setPointerCapture(event.pointerId);
      this.drag = { area: at.area, from: at.x, to: at.x };
    });
    svg.addEventListener("pointermove", (event) => {
      const at = this.place(event, this.drag?.area);
      if (this.drag && at) this.drag.to = at.x;
      this.hover = at ? Math.round(at.x) : null;
      this.draw();
    });
    svg.addEventListener("pointerup", () => {
      const { drag } = this;
      this.drag = null;
      if (drag && Math.abs(drag.to - drag.from) >= 0.8) {
        this.setZoom([Math.min(drag.from, drag.to), Math.max(drag.from, drag.to)]);
      } else this.draw();
    });
    svg.addEventListener("pointercancel", () => { this.drag = null; this.draw(); });
    svg.addEventListener("pointerleave", () => { this.hover = null; this.draw(); });
    svg.addEventListener("dblclick", () => this.setZoom(null));
    svg.addEventListener("wheel", (event) => {
      // A plain wheel scrolls the page.
      const at = this.place(event);
      if (!at || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      this.scale(at.x, event.deltaY < 0 ? 0.8 : 1.25);
    }, { passive: false });
    this.root.addEventListener("keydown", (event) => {
      const [a, b] = this.span();
      if (event.key === "+") this.scale((a + b) / 2, 0.7);
      else if (event.key === "-") this.scale((a + b) / 2, 1.4);
      else if (event.key === "Escape") this.setZoom(null);
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
  }

  get count() { return this.spec.titles.length; }

  span() { return this.zoom ?? [-0.5, Math.max(this.count, 5) - 0.5]; }

  /** How long the squeezed phases are, in lines, and what each of those lines is worth. */
  squeeze() {
    const { squeezed = 0 } = this.spec;
    const rest = this.count - squeezed;
    return [squeezed, rest > 0 && squeezed ? Math.min(1, Math.max(rest, 12) / 2 / squeezed) : 1];
  }

  /**
   * Place of a line along the axis. A long pretraining gets a third of it at most, once there is
   * something after it: what comes after is what people came for.
   */
  along(x) {
    const [squeezed, worth] = this.squeeze();
    const start = x + 0.5;
    return start < squeezed ? start * worth : squeezed * worth + start - squeezed;
  }

  /** The line at a place along the axis, the inverse of `along`. */
  epochAt(place) {
    const [squeezed, worth] = this.squeeze();
    const held = squeezed * worth;
    return (place < held ? place / worth : squeezed + place - held) - 0.5;
  }

  scale(x, factor) {
    const [a, b] = this.span();
    const next = [x - (x - a) * factor, x + (b - x) * factor];
    if (next[1] - next[0] >= this.count) this.setZoom(null);
    else if (next[1] - next[0] >= 1) this.setZoom(next);
  }

  setZoom(zoom) {
    this.zoom = zoom && [Math.max(zoom[0], -0.5), Math.min(zoom[1], this.count - 0.5)];
    remembered.set(this.spec.key, this.zoom);
    this.draw();
  }

  /** Which panel the pointer is on and the epoch there; `held` keeps a drag in its panel. */
  place(event, held = null) {
    const box = this.svg.getBoundingClientRect();
    const [px, py] = [event.clientX - box.left, event.clientY - box.top];
    const area = held ?? this.areas.find((a) => px >= a.left - 8 && px <= a.right + 8
      && py >= a.top && py <= a.bottom + 8);
    if (!area) return null;
    const [a, b] = this.span();
    const share = Math.min(1, Math.max(0, (px - area.left) / (area.right - area.left)));
    const [low, high] = [this.along(a), this.along(b)];
    return { area, x: this.epochAt(low + share * (high - low)) };
  }

  update(spec) {
    if (this.spec?.key !== spec.key) this.zoom = remembered.get(spec.key) ?? null;
    this.spec = spec;
    this.root.setAttribute("aria-label", `${spec.name}. Drag over epochs to see them larger, `
      + "Escape shows all.");
    this.draw();
  }

  draw() {
    const { spec, svg } = this;
    const width = this.root.clientWidth;
    if (!spec || width < 50) return;
    const most = Math.max(1, Math.floor(width / 300));
    const rows = Math.ceil(spec.panels.length / most);
    const columns = Math.ceil(spec.panels.length / rows);
    const gap = 28;
    const each = (width - gap * (columns - 1)) / columns;
    const above = Math.max(...spec.panels.map((panel) => this.roomAbove(panel, each)));
    const high = spec.height + above;
    svg.setAttribute("height", rows * high);
    svg.setAttribute("viewBox", `0 0 ${width} ${rows * high}`);
    svg.replaceChildren();
    this.areas = spec.panels.map((panel, i) => this.drawPanel(
      panel, (i % columns) * (each + gap), Math.floor(i / columns) * high, each, above,
    ));
    const shown = this.hover !== null && this.hover >= 0 && this.hover < this.count;
    this.hint.textContent = shown ? spec.titles[this.hover]
      : this.count > 1 ? "Drag over epochs to see them larger." : "";
    this.whole.hidden = this.zoom === null;
    Object.assign(this.root.dataset, {
      count: this.count,
      zoom: this.zoom ? this.zoom.map((v) => v.toFixed(2)).join(",") : "",
    });
  }

  textWidth(text, size = 16, weight = 400) {
    this.measure.font = `${weight} ${size}px ${getComputedStyle(this.root).fontFamily}`;
    return this.measure.measureText(text).width;
  }

  /** Lowest and highest number that the panel shows. */
  range(panel, from, to) {
    const seen = panel.series.flatMap((s) => s.values.slice(Math.max(0, Math.ceil(from)), to + 1))
      .filter((v) => v !== null);
    if (panel.range && (!this.zoom || !seen.length)) return panel.range;
    if (!seen.length) return [0, 1];
    const [low, high] = [Math.min(...seen), Math.max(...seen)];
    const room = Math.max((high - low) * 0.12, Math.abs(high) * 0.01, 1e-6);
    const wanted = [low - room, high + room];
    if (low >= 0) wanted[0] = Math.max(0, wanted[0]);
    if (panel.range) wanted[1] = Math.min(panel.range[1], wanted[1]);
    return wanted;
  }

  /** The widest name with its value. */
  widestName({ series }) {
    return Math.max(0, ...series.map(({ name }) => this.textWidth(`${name} 100.0 %`, 17, 600)));
  }

  /** What names need above the plot, where they would leave it no room beside it. */
  roomAbove(panel, width) {
    if (panel.labels !== "beside" || this.widestName(panel) < width * 0.45) return 0;
    return panel.series.length * NAME_LINE;
  }

  drawPanel(panel, x0, top, width, above) {
    const { spec, svg } = this;
    const y0 = top + above;
    const [from, to] = this.span();
    const beside = panel.labels === "beside";
    const at = this.hover !== null && this.hover >= 0 && this.hover < this.count
      ? this.hover : null;
    const ends = panel.series.map((s) => {
      let i = at ?? Math.min(this.count - 1, Math.floor(to));
      while (at === null && i >= 0 && s.values[i] === null) i -= 1;
      const value = s.values[i] ?? null;
      return { ...s, value, words: value === null ? "" : written(value, panel.unit, true) };
    });
    const right = !beside || above ? 8 : this.widestName(panel) + 22;
    const crowded = !beside && this.isCrowded(width);
    const area = {
      left: x0 + 62, right: x0 + width - right,
      top: y0 + (beside ? 34 : crowded ? 86 : 62), bottom: y0 + spec.height - 34,
    };
    const [low, high] = this.range(panel, from, Math.floor(to));
    const [first, last] = [this.along(from), this.along(to)];
    const px = (x) => area.left
      + (this.along(x) - first) / (last - first) * (area.right - area.left);
    const py = (y) => area.bottom - (y - low) / (high - low) * (area.bottom - area.top);
    this.drawBack(panel, area, px, py, [from, to], [low, high], y0);
    if (!beside) this.drawTitle(panel, ends, x0, y0, x0 + width, crowded);
    const clip = node(svg, "clipPath", { id: `vc-clip-${this.areas.length}-${x0}-${y0}` });
    node(clip, "rect", { x: area.left, y: area.top - 3, width: Math.max(0, area.right - area.left),
      height: area.bottom - area.top + 6 });
    const inside = node(svg, "g", { "clip-path": `url(#${clip.id})` });
    for (const rule of panel.rules) {
      if (rule.value < low || rule.value > high) continue;
      const y = py(rule.value);
      node(inside, "line", { x1: area.left, x2: area.right, y1: y, y2: y, stroke: rule.colour,
        "stroke-width": 2, "stroke-dasharray": "2 5" });
    }
    const marks = panel.marks.filter((m) => m.value >= low && m.value <= high && m.at <= to);
    for (const { at: found, value, colour } of marks) {
      const [x, y] = [Math.max(area.left, px(found)), py(value)];
      node(inside, "line", { x1: x, x2: area.right, y1: y, y2: y, stroke: colour,
        "stroke-width": 2, "stroke-dasharray": "7 6", "data-mark": "start" });
    }
    for (const one of panel.series) this.drawLine(inside, one, px, py);
    for (const { at: found, value, colour } of marks) {
      // A square on its corner: a point of the curve is round.
      const [x, y] = [px(found), py(value)];
      if (found >= from) {
        node(svg, "rect", { x: x - 6, y: y - 6, width: 12, height: 12, fill: colour, class: "mark",
          transform: `rotate(45 ${x} ${y})` });
      }
    }
    const named = [];
    for (const mark of marks) this.drawMarkName(panel, mark, area, px, py, named);
    for (const rule of panel.rules) {
      if (rule.value < low || rule.value > high) continue;
      this.drawRuleName(panel, rule, area, px, py, named);
    }
    if (at !== null && at >= from && at <= to) {
      node(svg, "line", { x1: px(at), x2: px(at), y1: area.top, y2: area.bottom,
        stroke: "currentColor", "stroke-opacity": 0.5 });
      for (const end of ends) {
        if (end.value !== null) {
          node(inside, "circle", { cx: px(at), cy: py(end.value), r: 5, fill: end.colour });
        }
      }
    }
    if (beside && above) this.drawNames(ends, x0, top, width);
    else if (beside) this.drawEnds(ends, area, py);
    if (panel.empty) this.drawEmpty(panel, area, py);
    if (this.drag) {
      const [a, b] = [px(this.drag.from), px(this.drag.to)];
      node(svg, "rect", { x: Math.min(a, b), y: area.top, width: Math.abs(b - a),
        height: area.bottom - area.top, class: "wash" });
    }
    return area;
  }

  /** Why there are no curves: in as many lines as it takes, where no level line runs. */
  drawEmpty(panel, area, py) {
    const room = area.right - area.left - 24;
    const lines = inLines(panel.empty, room, (line) => this.textWidth(line));
    const clear = (y) => Math.min(...panel.rules.map((rule) => Math.abs(py(rule.value) - y)), 1e6);
    const middle = [0.25, 0.4, 0.6].map((part) => area.top + part * (area.bottom - area.top))
      .reduce((best, y) => (clear(best) > 60 || clear(y) <= clear(best) ? best : y));
    lines.forEach((line, i) => node(this.svg, "text", { x: (area.left + area.right) / 2,
      y: middle + 22 * (i - (lines.length - 1) / 2), class: "halo", "text-anchor": "middle" },
      line));
  }

  drawBack(panel, area, px, py, [from, to], [low, high], y0) {
    const { spec, svg } = this;
    const inX = (x) => Math.min(area.right, Math.max(area.left, x));
    spec.phases.forEach((phase, i) => {
      const open = i === spec.phases.length - 1 ? Math.max(phase.last, to) : phase.last;
      const [a, b] = [inX(px(phase.first - 0.5)), inX(px(open + 0.5))];
      if (b - a < 1) return;
      if (i > 0 && a > area.left) {
        node(svg, "line", { x1: a, x2: a, y1: area.top, y2: area.bottom, class: "edge" });
      }
      if (phase.shaded) {
        node(svg, "rect", { x: a, y: area.top, width: b - a, height: area.bottom - area.top,
          class: "band" });
      }
      const named = this.textWidth(phase.name, 15) + 10 < b - a;
      if (named) {
        const y = panel.labels === "beside" ? y0 + 24 : area.top - 8;
        node(svg, "text", { x: (a + b) / 2, y, class: "soft", "text-anchor": "middle" },
          phase.name);
      }
    });
    const levels = roundNumbers(low, high, spec.height > 300 ? 5 : 3);
    for (const value of levels) {
      node(svg, "line", { x1: area.left, x2: area.right, y1: py(value), y2: py(value),
        class: "grid" });
      node(svg, "text", { x: area.left - 10, y: py(value) + 5, class: "soft",
        "text-anchor": "end" }, written(value, panel.unit, false, decimalsOf(levels)));
    }
    const visible = Math.min(to - from, this.count);
    const room = (area.right - area.left) / Math.max(1, this.along(to) - this.along(from));
    const step = [1, 2, 5, 10, 20, 25, 50, 100, 200, 500].find((s) => s * room >= 44) ?? 1000;
    let last = -Infinity;
    spec.ticks.forEach((epoch, i) => {
      if (i < from || i > to || !epoch || visible < 0) return;
      if (epoch % step && !(epoch === 1 && step <= 5)) return;
      if (px(i) - last < 34) return;
      last = px(i);
      node(svg, "text", { x: px(i), y: area.bottom + 22, class: "soft", "text-anchor": "middle" },
        String(epoch));
    });
    if (spec.ticks.some(Boolean)) { // a mixture alone has none
      node(svg, "text", { x: area.left - 10, y: area.bottom + 22, class: "soft",
        "text-anchor": "end" }, "epoch");
    }
  }

  drawLine(parent, one, px, py) {
    let path = "";
    let open = false;
    one.values.forEach((value, i) => {
      if (value === null) { open = false; return; }
      path += `${open ? "L" : "M"}${px(i).toFixed(1)} ${py(value).toFixed(1)}`;
      const alone = !open && (one.values[i + 1] ?? null) === null;
      if (alone) node(parent, "circle", { cx: px(i), cy: py(value), r: 4, fill: one.colour });
      open = true;
    });
    node(parent, "path", { d: path, fill: "none", stroke: one.colour, "stroke-width": 3,
      "stroke-dasharray": one.dash, "stroke-linejoin": "round", "data-series": one.name });
  }

  /**
   * The name of a mark: before it, where there are no curves yet, if there is room; in two lines,
   * broken after the colon, where one is too long.
   */
  drawMarkName(panel, mark, area, px, py, named) {
    const right = px(mark.at) - 14;
    const room = right - area.left - 2;
    const whole = this.textWidth(mark.name, 15) <= room;
    const lines = whole ? [mark.name] : mark.name.replace(": ", ":\n").split("\n");
    const widths = lines.map((words) => this.textWidth(words, 15));
    if (Math.max(...widths) > room) {
      this.drawRuleName(panel, mark, area, px, py, named);
      return;
    }
    const half = 9 * (lines.length - 1);
    const centre = Math.max(py(mark.value), area.top + 10 + half); // the phases' names are above
    lines.forEach((words, i) => {
      const middle = centre - half + 18 * i;
      named.push({ x: right - widths[i], wide: widths[i], middle });
      node(this.svg, "text", { x: right, y: middle + 5, class: "soft halo", "text-anchor": "end" },
        words);
    });
  }

  /**
   * The name of a level line, at that end and on that side where curves and the names that are
   * drawn already are farthest.
   */
  drawRuleName(panel, rule, area, px, py, named) {
    const fits = this.textWidth(rule.name, 15) + 20 < area.right - area.left;
    const words = fits ? rule.name : rule.short ?? rule.name;
    const wide = this.textWidth(words, 15);
    const found = [];
    for (const atLeft of [false, true]) {
      const x = atLeft ? area.left + 10 : area.right - 10 - wide;
      for (const middle of [py(rule.value) + 14, py(rule.value) - 14]) {
        // Just above the plot there is room, unless the phases' names stand there.
        const top = area.top + (this.spec.phases.some((phase) => phase.name) ? 10 : -8);
        if (middle > area.bottom - 10 || middle < top) continue;
        let clear = 60;
        for (const other of named) {
          if (x > other.x + other.wide + 20 || x + wide + 20 < other.x) continue;
          clear = Math.min(clear, Math.abs(other.middle - middle) - 8);
        }
        for (const one of panel.series) {
          one.values.forEach((value, i) => {
            if (value === null || px(i) < x - 20 || px(i) > x + wide + 20) return;
            clear = Math.min(clear, Math.abs(py(value) - middle));
          });
        }
        found.push({ x, y: middle + 5, clear });
      }
    }
    if (!found.length) return;
    const { x, y } = found.reduce((best, one) => (one.clear > best.clear ? one : best));
    named.push({ x, wide, middle: y - 5 });
    node(this.svg, "text", { x, y, class: "soft halo" }, words);
  }

  /** Names and values at the right, each beside its line and none over another. */
  drawEnds(ends, area, py) {
    const shown = ends.filter((e) => e.value !== null)
      .map((e) => ({ ...e, y: Math.min(area.bottom, Math.max(area.top, py(e.value))) }))
      .sort((a, b) => a.y - b.y);
    for (let i = 1; i < shown.length; i++) shown[i].y = Math.max(shown[i].y, shown[i - 1].y + 24);
    const over = shown.length ? shown.at(-1).y - area.bottom : 0;
    for (let i = shown.length - 1, limit = area.bottom; over > 0 && i >= 0; i--, limit -= 24) {
      shown[i].y = Math.min(shown[i].y, limit);
    }
    for (const end of shown) {
      node(this.svg, "circle", { cx: area.right + 10, cy: end.y, r: 6, fill: end.colour });
      node(this.svg, "text", { x: area.right + 21, y: end.y + 6, class: "value" },
        `${end.name} ${end.words}`);
    }
  }

  /** Names and values above the plot, one below the other. */
  drawNames(ends, x0, top, width) {
    ends.forEach((end, i) => {
      const y = top + i * NAME_LINE + 18;
      node(this.svg, "circle", { cx: x0 + 8, cy: y - 6, r: 6, fill: end.colour });
      const room = width - 24;
      let { name } = end;
      while (name && this.textWidth(`${name}… ${end.words}`, 17, 600) > room) {
        name = name.slice(0, -1);
      }
      const shown = name === end.name ? name : `${name.trimEnd()}…`;
      node(this.svg, "text", { x: x0 + 20, y, class: "value" }, `${shown} ${end.words}`);
    });
  }

  /** Whether a title and the names beside it need two lines; panels side by side do as one. */
  isCrowded(width) {
    return this.spec.panels.some((panel) => panel.labels !== "beside" && panel.series.reduce(
      (sum, one) => sum + this.textWidth(`${one.name} 100.0`, 17, 600) + 30,
      this.textWidth(panel.title, 17, 600),
    ) > width);
  }

  drawTitle(panel, ends, x0, y0, right, crowded) {
    node(this.svg, "text", { x: x0, y: y0 + 24, class: "title" }, panel.title);
    if (crowded) y0 += 26;
    let x = right - 8;
    for (const end of [...ends].reverse()) {
      if (end.value === null) continue;
      const words = end.name ? `${end.name} ${end.words}` : end.words;
      node(this.svg, "text", { x, y: y0 + 24, class: "value", "text-anchor": "end" }, words);
      x -= this.textWidth(words, 17, 600) + 12;
      node(this.svg, "circle", { cx: x, cy: y0 + 18, r: 6, fill: end.colour });
      x -= 18;
    }
  }
}

/** Streamlit calls this whenever the data or the theme change. */
export default function showCurves({ parentElement, data }) {
  const root = parentElement.querySelector(".vc");
  let chart = charts.get(parentElement);
  if (chart?.root !== root) {
    chart?.observer.disconnect();
    chart = new Chart(root);
    charts.set(parentElement, chart);
  }
  chart.update(data);
  const shown = chart;
  // This also runs when a newer call has overtaken this one: only a node that has left the
  // page is at its end.
  return () => setTimeout(() => {
    if (root.isConnected || charts.get(parentElement) !== shown) return;
    shown.observer.disconnect();
    charts.delete(parentElement);
  }, 0);
}
