/** The group's line of time: the ACC curve of every run over its own whole. */

import { DragAlong } from "./drag_along.js";

const SVG_NAME = "http://www.w3.org/2000/svg";
const SIDE_EDGE = 14;
const CURVE_TOP = 8;
const CURVE_HEIGHT = 68;

function drawn(name, attributes, text) {
  const element = document.createElementNS(SVG_NAME, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

export class GroupTrack {
  /** @param {HTMLElement} track @param {{drag: (share: number) => void, release: () => void}} listener */
  constructor(track, listener) {
    this.track = track;
    this.svg = track.querySelector("svg");
    this.handle = track.querySelector(".mg-handle");
    this.hand = new DragAlong(track, {
      drag: (event) => listener.drag(this.#shareOf(event)),
      release: listener.release,
    });
  }

  get dragging() { return this.hand.active; }

  #shareOf(event) {
    const left = this.track.getBoundingClientRect().left + SIDE_EDGE;
    const share = (event.clientX - left) / Math.max(1, this.track.clientWidth - 2 * SIDE_EDGE);
    return Math.min(Math.max(share, 0), 1);
  }

  #x(share) {
    return SIDE_EDGE + share * (this.track.clientWidth - 2 * SIDE_EDGE);
  }

  /** @param {any[]} members */
  draw(members) {
    const { svg } = this;
    const width = this.track.clientWidth;
    svg.setAttribute("width", String(width));
    svg.setAttribute("height", String(CURVE_TOP + CURVE_HEIGHT + 12));
    svg.replaceChildren(drawn("rect", {
      class: "mg-ground", x: 0, y: CURVE_TOP, width, height: CURVE_HEIGHT, rx: 6,
    }));
    if (width < 60) return;
    const ends = members.map((member) => this.#drawCurve(member)).filter(Boolean);
    if (!ends.length) {
      svg.append(drawn("text", { x: SIDE_EDGE, y: CURVE_TOP + 24 }, "No ACC, so no curves."));
      return;
    }
    svg.append(drawn("text", { x: 8, y: CURVE_TOP + 18, class: "mg-axis" }, "ACC"));
    ends.sort((a, b) => a.y - b.y);
    ends.forEach((end, i) => {
      end.y = Math.max(end.y, CURVE_TOP + 10);
      if (i) end.y = Math.max(end.y, ends[i - 1].y + 17);
    });
    for (const { sign, colour, y } of ends) {
      // Left of where the handle stands at the end.
      const x = width - SIDE_EDGE - 12;
      svg.append(drawn("text", { x, y: y + 5, fill: colour, class: "mg-end" }, sign));
    }
  }

  #drawCurve({ store, who }) {
    const { frames } = store;
    const last = Math.max(1, frames.length - 1);
    let path = "";
    let open = false;
    let end = null;
    frames.forEach(({ accuracy }, i) => {
      if (accuracy === null) {
        open = false;
        return;
      }
      const y = CURVE_TOP + CURVE_HEIGHT * (1 - accuracy);
      path += `${open ? "L" : "M"}${this.#x(i / last).toFixed(1)},${y.toFixed(1)}`;
      open = true;
      end = { y, sign: who.sign, colour: who.colour };
    });
    if (end) this.svg.append(drawn("path", { d: path, stroke: who.colour, class: "mg-curve" }));
    return end;
  }

  /** @param {number} share @param {string} words  said to screen readers */
  show(share, words) {
    this.handle.style.transform = `translateX(${this.#x(share)}px)`;
    const { track } = this;
    track.setAttribute("aria-valuenow", String(Math.round(100 * share)));
    if (track.getAttribute("aria-valuetext") !== words) track.setAttribute("aria-valuetext", words);
  }
}
