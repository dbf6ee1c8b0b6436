/**
 * Where the names of the clusters stand: on their means, or beside a group that they would hide.
 */
import { placeIn } from "./view.js";
import { NONE } from "./colouring.js";

// In radii of a name: a group whose points lie closer to its mean (the median of their distances)
// has its name beside it, a wider one on it, and between the two the name is on its way.
const TIGHT_GROUP = 1.1;
const WIDE_GROUP = 1.7;
const GROUP_EDGE = 1.5; // of a group, in medians
const NAME_GAP = 4; // CSS pixels

/** @type {WeakMap<object, (number|null)[]>} */
const knownSpreads = new WeakMap();

/**
 * Median distance of each cluster's points from its mean, in the map's units; null for none.
 * @param {import("./store.js").Frame} frame
 * @returns {(number|null)[]}
 */
export function spreadsOf(frame) {
  const found = knownSpreads.get(frame);
  if (found) return found;
  const { clusters, means } = frame;
  const distances = Array.from({ length: (means?.length ?? 0) / 2 }, () => []);
  for (let i = 0; clusters && i < clusters.length; i++) {
    const k = clusters[i];
    if (k === NONE || !distances[k] || means[2 * k] === null) continue;
    const [x, y] = placeIn(frame, i);
    distances[k].push(Math.hypot(x - means[2 * k], y - means[2 * k + 1]));
  }
  const spreads = distances.map((all) => {
    if (!all.length) return null;
    const sorted = Float64Array.from(all).sort();
    return sorted[sorted.length >> 1];
  });
  knownSpreads.set(frame, spreads);
  return spreads;
}

/**
 * Which way each name leaves its group: away from the middle of all of them, where there is space,
 * or another way where it would stand under the legend or outside.
 *
 * Asked of the last frame, as the whole map is seen: a name that chose anew on the way would jump.
 * @param {{x: number, y: number, spread: number|null}[]} groups  in CSS pixels
 * @param {number} radius  half the height of a name
 * @param {{left: number, right: number, top: number, bottom: number}} room  where names may stand
 * @returns {number[][]}  unit vectors
 */
export function waysOut(groups, radius, room) {
  const middle = (of) => groups.reduce((sum, group) => sum + of(group), 0) / (groups.length || 1);
  const [cx, cy] = [middle((group) => group.x), middle((group) => group.y)];
  return groups.map(({ x, y, spread }) => {
    const away = Math.hypot(x - cx, y - cy);
    const outwards = away < 1 ? [0, -1] : [(x - cx) / away, (y - cy) / away];
    const far = GROUP_EDGE * (spread ?? 0) + radius + NAME_GAP;
    const fits = ([ux, uy]) => x + far * ux - radius >= room.left
      && x + far * ux + radius <= room.right
      && y + far * uy - radius >= room.top && y + far * uy + radius <= room.bottom;
    return [outwards, [0, -1], [0, 1], [-1, 0], [1, 0]].find(fits) ?? outwards;
  });
}

/**
 * Places of names on the screen; those that have left their groups do not hide other names.
 * @param {{x: number, y: number, spread: number|null, half: number, way: number[]}[]} groups
 *   mean, spread, half the width of the name, and which way it leaves, in CSS pixels
 * @param {number} radius  half the height of a name
 * @returns {{x: number, y: number, beside: number}[]}  `beside` is 0 on the mean, 1 beside the group
 */
export function placesOfNames(groups, radius) {
  const places = groups.map(({ x, y, spread, half, way: [ux, uy] }) => {
    const wide = spread === null ? WIDE_GROUP : spread / radius;
    const beside = Math.min(1, Math.max(0, (WIDE_GROUP - wide) / (WIDE_GROUP - TIGHT_GROUP)));
    if (!beside) return { x, y, beside };
    // From the middle of a name to its edge, that way.
    const own = Math.min(half, half / Math.abs(ux), radius / Math.abs(uy));
    const far = beside * (GROUP_EDGE * spread + own + NAME_GAP);
    return { x: x + far * ux, y: y + far * uy, beside };
  });
  for (let turn = 0; turn < 3; turn++) keepApart(places, groups, radius);
  return places;
}

function keepApart(places, groups, radius) {
  for (let i = 0; i < places.length; i++) {
    for (let j = 0; j < i; j++) {
      const [a, b] = [places[i], places[j]];
      const [dx, dy] = [a.x - b.x, a.y - b.y];
      const tooNear = Math.min(
        groups[i].half + groups[j].half + NAME_GAP - Math.abs(dx),
        2 * radius + NAME_GAP - Math.abs(dy),
      );
      if (tooNear <= 0 || a.beside + b.beside === 0) continue;
      // The more a name has left its mean, the more it gives way.
      const push = tooNear / (a.beside + b.beside) / Math.max(1, Math.hypot(dx, dy));
      a.x += push * a.beside ** 2 * dx;
      a.y += push * a.beside ** 2 * dy;
      b.x -= push * b.beside ** 2 * dx;
      b.y -= push * b.beside ** 2 * dy;
    }
  }
}
