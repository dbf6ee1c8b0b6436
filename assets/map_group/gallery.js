/** Pictures of points, and below each what every run says of it. */
import { colourNumber, nameOf } from "./disagree.js";
import { drawPicture } from "./panels.js";

export const MOST_PICTURES = 60;

/**
 * Which of some places are shown: evenly chosen, label by label.
 * @param {number[]} places @param {Int16Array|null} labels
 */
export function chosenPlaces(places, labels) {
  const order = labels ? [...places].sort((a, b) => labels[a] - labels[b] || a - b) : places;
  if (order.length <= MOST_PICTURES) return order;
  return Array.from({ length: MOST_PICTURES }, (_, i) => order[Math.floor((i * order.length) / MOST_PICTURES)]);
}

function div(className, text = "") {
  return Object.assign(document.createElement("div"), { className, textContent: text });
}

/** A chip with a run's letter in the run's colour. */
function signOf({ who, look }) {
  const chip = div("mg-chip mg-sign", who.sign);
  const at = look.palette.indexOf(who.colour);
  Object.assign(chip.style, { background: who.colour, color: at < 0 ? "#000000" : look.textOn[at] });
  chip.title = who.title;
  return chip;
}

/** Whose letter is whose. */
export function showKey(box, members) {
  box.replaceChildren(...members.map((member) => {
    const entry = document.createElement("span");
    entry.append(signOf(member), member.who.title);
    return entry;
  }));
}

export class Gallery {
  /** @param {HTMLElement} box */
  constructor(box) {
    this.box = box;
    /** Places that are kept free for pictures, so that the page below stays where it is. */
    this.reserved = 0;
    /** Pictures by row, drawn once: while time plays they come and go. */
    this.drawn = new Map();
    this.source = null;
  }

  /**
   * @param {import("./disagree.js").Verdict|null} verdict
   * @param {any[]} members
   * @param {number[]} places  within the verdict's rows
   */
  show(verdict, members, places) {
    this.#takeSource(members.find((member) => member.store.pictures));
    const chosen = verdict ? chosenPlaces(places, verdict.labels) : [];
    const items = chosen.map((i) => this.#item(verdict, members, i));
    const lines = (this.source ? 1 : 0) + (members[0]?.store.labels ? 1 : 0) + members.length;
    while (items.length < this.reserved) items.push(this.#blank(lines));
    const titles = chosen.length ? [this.#titles(members, verdict)] : [];
    // The titles take a place, too.
    if (!titles.length && items.length) titles.push(this.#blank(lines));
    this.box.replaceChildren(...titles, ...items);
  }

  #takeSource(owner) {
    const pictures = owner?.store.pictures ?? null;
    if (pictures === this.source?.pictures) return;
    this.source = pictures && { pictures, owner };
    this.drawn.clear();
  }

  #titles(members, { labels }) {
    const titles = div("mg-item mg-titles");
    if (this.source) titles.append(div("mg-picture"));
    if (labels) titles.append(div("mg-chip", "label"));
    titles.append(...members.map(signOf));
    return titles;
  }

  #blank(lines) {
    const item = div("mg-item mg-blank");
    item.setAttribute("aria-hidden", "true");
    for (let i = 0; i < lines; i++) item.append(div(i || !this.source ? "mg-chip" : "mg-picture"));
    return item;
  }

  #picture(row) {
    let canvas = this.drawn.get(row);
    if (!canvas) {
      canvas = Object.assign(document.createElement("canvas"), { className: "mg-picture" });
      const { pictures, owner } = this.source;
      drawPicture(canvas, pictures, owner.indices.get(row));
      this.drawn.set(row, canvas);
    }
    return canvas;
  }

  #item({ rows, said, labels }, members, i) {
    const item = div("mg-item");
    if (this.source) item.append(this.#picture(rows[i]));
    const { classNames } = members[0].store;
    const words = [`sample ${rows[i]}`];
    if (labels) {
      item.append(div("mg-chip mg-label", nameOf(labels[i], classNames)));
      words.push(`label ${nameOf(labels[i], classNames)}`);
    }
    members.forEach((member, m) => {
      const code = said[m][i];
      const name = nameOf(code, classNames);
      const isWrong = labels && code !== labels[i];
      const chip = div("mg-chip", isWrong ? `${name} ✕` : name);
      const { palette, textOn, unknown } = member.look;
      const isKnown = code >= 0 && name !== "other";
      chip.style.background = isKnown ? palette[colourNumber(code) % palette.length] : unknown;
      chip.style.color = isKnown ? textOn[colourNumber(code) % textOn.length] : "#000000";
      chip.classList.toggle("mg-wrong", Boolean(isWrong));
      item.append(chip);
      words.push(`${member.who.title} says ${name}${isWrong ? ", wrong" : ""}`);
    });
    item.title = words.join(", ");
    return item;
  }
}

/** The points as a table: what each is, and what every run says of it. */
export function tableOf({ rows, said, labels }, members, places) {
  const { classNames } = members[0].store;
  const quoted = (text) => `"${String(text).replaceAll('"', '""')}"`;
  const head = ["sample", ...(labels ? ["label"] : []), ...members.map(({ who }) => who.key)];
  const lines = places.map((i) => [
    rows[i], ...(labels ? [nameOf(labels[i], classNames)] : []),
    ...said.map((own) => nameOf(own[i], classNames)),
  ]);
  return [head, ...lines].map((line) => line.map(quoted).join(",")).join("\r\n") + "\r\n";
}
