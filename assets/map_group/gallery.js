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

/**
 * @param {HTMLElement} box
 * @param {import("./disagree.js").Verdict} verdict
 * @param {any[]} members
 * @param {number[]} places  within the verdict's rows
 */
export function showGallery(box, verdict, members, places) {
  const items = chosenPlaces(places, verdict.labels).map((i) => pictureItem(verdict, members, i));
  box.replaceChildren(...(items.length ? [rowTitles(members, verdict), ...items] : []));
}

function rowTitles(members, verdict) {
  const titles = document.createElement("div");
  titles.className = "mg-item mg-titles";
  const hasPictures = members.some((member) => member.store.pictures);
  const words = [...(hasPictures ? [""] : []), ...(verdict.labels ? ["label"] : [])];
  for (const word of words) titles.append(div(word ? "mg-chip" : "mg-picture", word));
  for (const { who } of members) {
    const title = div("mg-chip", `${who.sign} ${who.title}`);
    title.title = who.title;
    titles.append(title);
  }
  return titles;
}

function div(className, text = "") {
  return Object.assign(document.createElement("div"), { className, textContent: text });
}

function pictureItem({ rows, said, labels }, members, i) {
  const item = div("mg-item");
  const owner = members.find((member) => member.store.pictures);
  if (owner) {
    const canvas = document.createElement("canvas");
    canvas.className = "mg-picture";
    drawPicture(canvas, owner.store.pictures, owner.indices.get(rows[i]));
    item.append(canvas);
  }
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
