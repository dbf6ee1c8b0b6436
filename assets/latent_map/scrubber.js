/** The line of time: the ACC curve, the phases, what was remarkable, and a handle to drag. */

import { DragAlong } from "./drag_along.js";

const SVG = "http://www.w3.org/2000/svg";
/** Heights in pixels at the usual size of the type; map.css has their sum. */
const ROOMS = { top: 26, curve: 46, band: 24 };
const SIDE = 14;

function svgElement(name, attributes, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

export class Scrubber {
  /**
   * @param {HTMLElement} track
   * @param {{drag: (position: number) => void, release: () => void}} listener
   */
  constructor(track, listener) {
    this.track = track;
    this.handle = track.querySelector(".lm-handle");
    this.svg = track.querySelector("svg");
    this.count = 0;
    this.width = 0;
    this.scale = 1;
    this.hand = new DragAlong(track, {
      drag: (event) => this.count && listener.drag(this.#positionOf(event)),
      release: () => this.count && listener.release(),
    });
  }

  get dragging() { return this.hand.active; }

  #positionOf(event) {
    const left = this.track.getBoundingClientRect().left + SIDE;
    const share = (event.clientX - left) / Math.max(1, this.width - 2 * SIDE);
    return Math.min(Math.max(share, 0), 1) * (this.count - 1);
  }

  x(position) {
    const span = Math.max(1, this.count - 1);
    return SIDE + (position / span) * (this.width - 2 * SIDE);
  }

  /** Above the curve, of the curve, and below it. */
  get rooms() {
    const [top, curve, band] = [ROOMS.top, ROOMS.curve, ROOMS.band].map((v) => v * this.scale);
    return { top, curve, band, foot: top + curve, whole: top + curve + band };
  }

  y(accuracy) {
    const { top, curve } = this.rooms;
    return top + curve * (1 - accuracy);
  }

  /**
   * Draws everything but the handle anew.
   * @param {import("./store.js").Store} store
   * @param {number} width
   * @param {boolean} withCurve
   * @param {number} scale  of the type, 1 at its usual size
   */
  draw(store, width, withCurve, scale) {
    this.count = store.frames.length;
    this.width = width;
    this.scale = scale;
    const { svg } = this;
    svg.setAttribute("width", String(width));
    svg.setAttribute("height", String(this.rooms.whole));
    svg.replaceChildren();
    if (!this.count || width < 50) return;
    this.#drawPhases(store.frames);
    if (!withCurve) return;
    this.#drawCurve(store);
    this.#drawRemarkable(store);
  }

  #drawPhases(frames) {
    const { top, foot, whole } = this.rooms;
    let start = 0;
    let shade = 0;
    for (let i = 1; i <= frames.length; i++) {
      if (i < frames.length && frames[i].phase === frames[start].phase) continue;
      const left = start === 0 ? 0 : this.x(start - 0.5);
      const right = i === frames.length ? this.width : this.x(i - 0.5);
      const { phase } = frames[start];
      const band = svgElement("g", { class: `lm-phase lm-shade-${shade % 2}` });
      band.append(svgElement("title", {}, phase));
      band.append(svgElement("rect", {
        x: left, y: top, width: right - left, height: whole - top,
      }));
      if (start > 0) {
        band.append(svgElement("line", { x1: left, x2: left, y1: top, y2: whole }));
      }
      if (right - left > 9 * this.scale * phase.length + 12) {
        band.append(svgElement("text", { x: left + 8, y: foot + 18 * this.scale }, phase));
      }
      this.svg.append(band);
      start = i;
      shade++;
    }
  }

  #drawCurve({ frames, labels }) {
    const above = this.rooms.top - 8 * this.scale;
    let line = "";
    let area = "";
    let open = null;
    const close = (x) => {
      if (open !== null) area += `L${x},${this.y(0)}L${open},${this.y(0)}Z`;
      open = null;
    };
    let last = 0;
    frames.forEach(({ accuracy }, i) => {
      if (accuracy === null) {
        close(last);
        return;
      }
      last = this.x(i).toFixed(1);
      const point = `${last},${this.y(accuracy).toFixed(1)}`;
      const step = open === null ? "M" : "L";
      line += step + point;
      area += step + point;
      if (open === null) open = last;
    });
    close(last);
    if (!line) {
      const why = labels ? "ACC comes with the clusters." : "No labels, so no ACC curve.";
      this.svg.append(svgElement("text", { x: SIDE, y: this.rooms.top + 18 * this.scale }, why));
      return;
    }
    this.svg.append(svgElement("path", { class: "lm-area", d: area }));
    this.svg.append(svgElement("path", { class: "lm-curve", d: line }));
    this.svg.append(svgElement("text", { class: "lm-axis", x: 8, y: above }, "ACC"));
  }

  #drawRemarkable(store) {
    const { top, foot } = this.rooms;
    const marks = [];
    const best = store.best();
    if (best >= 0) {
      const { accuracy, title } = store.frames[best];
      const share = (100 * accuracy).toFixed(1);
      marks.push({ i: best, sign: "★", words: `best ACC ${share} %`, title });
    }
    const largest = store.largestReshuffle();
    if (largest >= 0) {
      const { reshuffled, title } = store.frames[largest];
      const share = Math.round(100 * reshuffled);
      marks.push({ i: largest, sign: "⇄", words: `largest reshuffle, ${share} % of points`, title });
    }
    marks.sort((a, b) => a.i - b.i);
    let free = best >= 0 ? 48 * this.scale : 0;
    marks.forEach(({ i, sign, words, title }, order) => {
      const x = this.x(i);
      const mark = svgElement("g", { class: "lm-remarkable" });
      mark.append(svgElement("title", {}, `${words}, ${title}`));
      mark.append(svgElement("line", { x1: x, x2: x, y1: top - 4, y2: foot }));
      this.svg.append(mark);
      const next = marks[order + 1] ? this.x(marks[order + 1].i) : this.width;
      for (const text of [`${sign} ${words}`, sign]) {
        const label = svgElement("text", { y: top - 8 * this.scale }, text);
        mark.append(label);
        const wide = label.getComputedTextLength();
        // To the right of its line, else to the left, else only the sign.
        const room = order === marks.length - 1 ? this.width : Math.max(next - 14, x + 20);
        let left = null;
        if (x - 6 >= free && x - 6 + wide <= room) left = x - 6;
        else if (x + 8 - wide >= free) left = x + 8 - wide;
        else if (text === sign) left = Math.max(free, x - 6);
        if (left !== null && left + wide > this.width) left = null;
        if (left === null) {
          label.remove();
          continue;
        }
        label.setAttribute("x", String(left));
        free = left + wide + 12;
        break;
      }
    });
  }

  /** Moves the handle. @param {number} position @param {string} words  said to screen readers */
  show(position, words) {
    this.handle.style.transform = `translateX(${this.x(position)}px)`;
    this.handle.hidden = this.count === 0;
    const { track } = this;
    track.setAttribute("aria-valuemax", String(Math.max(0, this.count - 1)));
    track.setAttribute("aria-valuenow", String(Math.round(position)));
    if (track.getAttribute("aria-valuetext") !== words) track.setAttribute("aria-valuetext", words);
  }
}
