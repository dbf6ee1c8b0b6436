/** The words around the picture: title, legend, and the card of the hovered point. */
import { NONE } from "./colouring.js";

export function percent(share, digits = 1) {
  return `${(100 * share).toFixed(digits)} %`;
}

export function grouped(number) {
  return String(number).replace(/\B(?=(\d{3})+$)/g, ",");
}

function htmlElement(name, className, text) {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

/** Writes a text only if it changed: a write costs a layout. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** What the highest and the lowest amount of a colouring mean. */
const RAMP_ENDS = {
  confidence: ["1: sure", "0"],
  entropy: ["log K: any cluster", "0: one cluster"],
  trust: ["all 10: trust it", "none"],
};

export class Legend {
  /** @param {HTMLElement} box @param {(code: number) => void} onPick */
  constructor(box, onPick) {
    this.box = box;
    this.onPick = onPick;
    this.drawn = "";
    this.entries = [];
  }

  /**
   * @param {import("./colouring.js").Colouring} colouring
   * @param {import("./store.js").Frame} frame
   * @param {number} isolate
   */
  show(colouring, frame, isolate, title, note) {
    this.entries = colouring.isCategorical ? colouring.legend(frame) : [];
    const signature = JSON.stringify([colouring.name, title, note, isolate,
      this.entries.map((e) => [e.code, e.name, e.title])]);
    if (signature === this.drawn) return;
    this.drawn = signature;
    this.box.replaceChildren(htmlElement("div", "lm-legend-title", title));
    if (colouring.isCategorical) this.#showEntries(colouring, isolate);
    else this.#showRamp(colouring);
    if (note) this.box.append(htmlElement("div", "lm-legend-note", note));
  }

  #showEntries(colouring, isolate) {
    const list = htmlElement("div", "lm-entries");
    const areShort = this.entries.every((e) => e.name.length <= 3);
    list.classList.toggle("lm-short", areShort && colouring.name !== "right");
    for (const { code, name, title } of this.entries) {
      const button = htmlElement("button", "lm-entry");
      button.type = "button";
      button.title = `${title}. Click to see it alone`;
      button.dataset.code = String(code);
      button.setAttribute("aria-pressed", String(isolate === code));
      button.classList.toggle("lm-faded", isolate >= 0 && isolate !== code);
      const sign = colouring.name === "right" ? ["●", "✕", "●"][code] : name;
      const chip = htmlElement("span", "lm-chip", areShort || colouring.name === "right" ? sign : "");
      if (colouring.name === "right") {
        chip.style.color = colouring.colour(code);
        chip.classList.add("lm-plain");
      } else {
        chip.style.background = colouring.colour(code);
        chip.style.color = colouring.textOn(code);
      }
      button.append(chip);
      if (!list.classList.contains("lm-short")) button.append(htmlElement("span", "", name));
      button.addEventListener("click", () => this.onPick(code));
      list.append(button);
    }
    this.box.append(list);
  }

  #showRamp(colouring) {
    const steps = Array.from({ length: 9 }, (_, i) => colouring.colour(Math.round((255 * i) / 8)));
    const bar = htmlElement("div", "lm-ramp");
    bar.style.background = `linear-gradient(to top, ${steps.join(", ")})`;
    const [most, least] = RAMP_ENDS[colouring.name];
    const ends = htmlElement("div", "lm-ramp-ends");
    ends.append(htmlElement("span", "", most));
    ends.append(htmlElement("span", "", least));
    const row = htmlElement("div", "lm-ramp-row");
    row.append(bar, ends);
    this.box.append(row);
  }

  /** Code of the entry that a digit key stands for; -1 for none. */
  codeOfKey(digit) {
    const byName = this.entries.find((e) => e.name === digit);
    if (byName) return byName.code;
    const place = digit === "0" ? 9 : Number(digit) - 1;
    return this.entries[place]?.code ?? -1;
  }
}

/** In CSS pixels: where a card beside a point leaves little to be seen. */
const NARROW = 480;

export class Card {
  /** @param {HTMLElement} box */
  constructor(box) {
    this.box = box;
    this.canvas = box.querySelector("canvas");
    this.facts = box.querySelector(".lm-facts");
    this.bars = box.querySelector(".lm-bars");
    this.shown = "";
    this.above = false;  // along the upper edge
  }

  hide() {
    this.box.hidden = true;
    this.shown = "";
  }

  /**
   * @param {import("./store.js").Store} store
   * @param {import("./store.js").Frame} frame
   * @param {number} i  the point
   * @param {import("./colouring.js").Colouring} byCluster
   * @param {number} px  where it stands  @param {number} py
   * @param {{width: number, height: number}} stage
   * @param {boolean} byFinger  on a narrow map the card then lies along an edge: beside the point
   *   it would cover the map, and a finger does not move on at once
   */
  show(store, frame, i, byCluster, px, py, stage, byFinger) {
    const signature = `${store.run} ${frame.title} ${i}`;
    if (signature !== this.shown) {
      this.shown = signature;
      this.#fill(store, frame, i, byCluster);
    }
    this.box.hidden = false;
    const along = byFinger && stage.width < NARROW;
    this.box.classList.toggle("lm-along", along);
    const { offsetWidth: w, offsetHeight: h } = this.box;
    if (along) {
      // It stays at its edge until the point would be under it.
      if (this.above ? py < h + 8 : py > stage.height - h - 8) this.above = !this.above;
      this.box.style.transform = `translate(4px, ${this.above ? 4 : stage.height - h - 4}px)`;
      return;
    }
    const left = px + 22 + w < stage.width ? px + 22 : Math.max(4, px - w - 22);
    const top = Math.min(Math.max(4, py - h / 2), Math.max(4, stage.height - h - 4));
    this.box.style.transform = `translate(${left}px, ${top}px)`;
  }

  #fill(store, frame, i, byCluster) {
    const { pictures, labels, classNames } = store;
    this.canvas.hidden = !pictures;
    if (pictures) drawPicture(this.canvas, pictures, i);
    const found = frame.clusters?.[i] ?? NONE;
    const cluster = found === NONE ? null : found;
    const matched = cluster === null ? -1 : (frame.matched?.[cluster] ?? -1);
    const facts = [];
    if (labels) facts.push(["label", classNames[labels[i]] ?? String(labels[i])]);
    if (cluster !== null) facts.push(["cluster", byCluster.clusterName(frame, cluster)]);
    if (labels && matched >= 0) {
      facts.push(["", matched === labels[i] ? "● right" : "✕ wrong"]);
    }
    if (frame.confidence && cluster !== null) facts.push(["sure", percent(frame.confidence[i] / 255, 0)]);
    if (frame.trust) facts.push(["kept", `${percent(frame.trust[i] / 255, 0)} of neighbours`]);
    facts.push(["point", grouped(i)]);
    this.facts.replaceChildren(...facts.flatMap(([name, value]) => [
      htmlElement("dt", "", name), htmlElement("dd", "", value)]));
    this.#fillBars(store, frame, i, byCluster);
  }

  #fillBars(store, frame, i, byCluster) {
    const { shares } = frame;
    this.bars.hidden = !shares || frame.clusters?.[i] === NONE;
    if (this.bars.hidden) return;
    const k = shares.length / store.n;
    const columns = Array.from({ length: k }, (_, c) => {
      const share = shares[i * k + c] / 255;
      const code = byCluster.clusterCode(frame, c);
      const column = htmlElement("div", "lm-bar");
      const fill = htmlElement("div", "lm-fill");
      fill.style.height = `${Math.max(2, 100 * share)}%`;
      fill.style.background = byCluster.colour(code);
      const room = htmlElement("div", "lm-room");
      room.append(fill);
      const name = byCluster.clusterName(frame, c);
      column.append(room, htmlElement("span", "", name.length < 4 ? name : `c${c}`));
      return column;
    });
    this.bars.replaceChildren(...columns);
  }
}

export function drawPicture(canvas, { bytes, width, height }, i) {
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const start = i * width * height;
  for (let p = 0; p < width * height; p++) {
    const grey = bytes[start + p];
    image.data.set([grey, grey, grey, 255], 4 * p);
  }
  context.putImageData(image, 0, 0);
}
