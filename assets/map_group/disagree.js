/** Where runs sort the same points otherwise. */
import { NONE } from "./colouring.js";

/** What a run says of a point that has no cluster yet. */
export const SILENT = -1;

/** Clusters of no class get numbers from here on. */
const OWN = 1000;

/**
 * What a run says of each of its points in a frame: a class, or a number from OWN on for a cluster
 * of no class. A cluster that is matched with none speaks for the class that most of its points
 * belong to: fat noughts and thin ones are all noughts.
 * @returns {Int16Array}
 */
export function saidIn(frame, store) {
  const { clusters, matched } = frame;
  const { labels, n } = store;
  if (!clusters) return new Int16Array(n).fill(SILENT);
  const meaning = Int16Array.from({ length: 256 }, (_, c) => {
    if (c === NONE) return SILENT;
    const own = matched?.[c] ?? -1;
    return own >= 0 ? own : OWN + c;
  });
  if (labels) {
    const most = majorities(clusters, labels);
    for (const [c, label] of most) if (meaning[c] >= OWN) meaning[c] = label;
  }
  return Int16Array.from(clusters, (c) => meaning[c]);
}

function majorities(clusters, labels) {
  const tallies = new Map();
  clusters.forEach((c, i) => {
    if (c === NONE) return;
    let tally = tallies.get(c);
    if (!tally) tallies.set(c, (tally = new Map()));
    tally.set(labels[i], (tally.get(labels[i]) ?? 0) + 1);
  });
  const most = ([a, many], [b, more]) => (more > many ? [b, more] : [a, many]);
  return new Map([...tallies].map(([c, tally]) => [c, [...tally].reduce(most)[0]]));
}

/**
 * Another run's clusters by the names of the first run's, paired one to one: those that share the
 * most points first. For data without labels, where a cluster's number means nothing.
 */
export function renamedAs(first, other) {
  const shared = new Map();
  first.forEach((a, i) => {
    if (a === SILENT || other[i] === SILENT) return;
    const pair = `${a},${other[i]}`;
    shared.set(pair, (shared.get(pair) ?? 0) + 1);
  });
  const pairs = [...shared].sort((a, b) => b[1] - a[1]).map(([pair]) => pair.split(",").map(Number));
  const names = new Map();
  const taken = new Set();
  for (const [a, b] of pairs) {
    if (names.has(b) || taken.has(a)) continue;
    names.set(b, a);
    taken.add(a);
  }
  // What is left has no counterpart: a name of its own.
  return other.map((b) => (b === SILENT ? b : names.get(b) ?? 2 * OWN + b));
}

/**
 * @typedef {object} Verdict
 * @property {number[]} rows  of the points that all the runs have
 * @property {Int16Array[]} said  by run, what it says of each row
 * @property {(Int16Array|null)} labels  of each row
 * @property {number} judged  how many of the rows all the runs have a cluster for
 * @property {number[]} otherwise  places within `rows` that are sorted otherwise
 * @property {number[]|null} onlyHere  places where some runs are right and others wrong
 * @property {number[]} silent  places within the members of those without clusters yet
 */

/**
 * Compares what runs say at a moment.
 * @param {any[]} members  of the group, two at least
 * @param {number[]} rows  of the points that they share
 * @param {number} share  of the whole that has passed
 * @returns {Verdict}
 */
export function compareRuns(members, rows, share) {
  const labels = labelsOf(members[0], rows);
  const said = members.map((member) => {
    const frame = member.frameAt(share);
    if (!frame) return new Int16Array(rows.length).fill(SILENT);
    const all = saidIn(frame, member.store);
    return Int16Array.from(rows, (row) => all[member.indices.get(row)]);
  });
  if (!labels) for (let m = 1; m < said.length; m++) said[m] = renamedAs(said[0], said[m]);
  const silent = said.flatMap((own, m) => (own.every((code) => code === SILENT) ? [m] : []));
  const otherwise = [];
  const onlyHere = labels ? [] : null;
  let judged = 0;
  rows.forEach((_, i) => {
    const codes = said.map((own) => own[i]);
    if (codes.includes(SILENT)) return;
    judged++;
    if (codes.some((code) => code !== codes[0])) otherwise.push(i);
    if (!labels) return;
    const right = codes.filter((code) => code === labels[i]).length;
    if (right && right < codes.length) onlyHere.push(i);
  });
  return { rows, said, labels, judged, otherwise, onlyHere, silent };
}

function labelsOf(member, rows) {
  const { labels } = member.store;
  return labels && Int16Array.from(rows, (row) => labels[member.indices.get(row)]);
}

/** The commonest pairs of answers of the first two runs: `[a, b, count]`, the most first. */
export function commonestPairs({ said }, places, most) {
  const found = new Map();
  for (const i of places) {
    const [a, b] = [said[0][i], said[1][i]];
    if (a === b) continue;
    const pair = `${a},${b}`;
    found.set(pair, (found.get(pair) ?? 0) + 1);
  }
  return [...found].sort((x, y) => y[1] - x[1]).slice(0, most)
    .map(([pair, count]) => [...pair.split(",").map(Number), count]);
}

/** What a code is called. */
export function nameOf(code, classNames) {
  if (code === SILENT) return "–";
  if (code < OWN) return classNames[code] ?? String(code);
  return code < 2 * OWN ? `c${code % OWN}` : "other";
}

/** Number of a code's colour in the palette, the same as on the map. */
export function colourNumber(code) {
  return code % OWN;
}
