/** What one sees along a path, in words. */
import { likeliestClusters } from "./paths.js";

/** A change of the density by so many nats, a factor of 20, is worth a word. */
const WORTH_SAYING = 3;
/** Below its ends by so many, a factor of 3,000, a path is in no cluster any more. */
const OUTSIDE = 8;

/** Names joined as one says them. */
export function listed(names) {
  if (names.length < 2) return names.join("");
  return `${names.slice(0, -1).join(", ")} and ${names[names.length - 1]}`;
}

const nats = (value) => `${Math.round(value)} nat${Math.round(value) === 1 ? "" : "s"}`;

/** How the density changes on the way. @param {ArrayLike<number>} logDensity */
export function densityWords(logDensity, way, ownClusters) {
  const values = Array.from(logDensity);
  const ends = [values[0], values[values.length - 1]];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const fall = Math.min(...ends) - low;
  const rise = high - Math.max(...ends);
  if (fall >= WORTH_SAYING) {
    const valley = fall >= OUTSIDE ? ": the path leaves the clusters" : ": a shallow valley";
    const why = ownClusters ? valley : "";
    return `The density falls by ${nats(fall)} between the two${why}.`;
  }
  if (!ownClusters && way === "straight") {
    const how = rise >= WORTH_SAYING ? `rises by ${nats(rise)}` : "has no valley";
    return `The density ${how} between the two: on a straight line a single Gaussian never `
      + "falls below its lower end.";
  }
  if (rise >= WORTH_SAYING) {
    return `The density rises by ${nats(rise)} between the two: the path crosses a denser place.`;
  }
  return "The density falls nowhere far below its ends: the path stays where the prior has its mass.";
}

/** Which clusters the path is in, and where it changes. */
export function clusterWordsAlong(shares, n, world) {
  const clusters = likeliestClusters(shares, n, world.assigning.k);
  const changes = [];
  for (let i = 1; i < n; i++) if (clusters[i] !== clusters[i - 1]) changes.push(i);
  const name = (i) => world.clusterName(clusters[i]);
  if (!changes.length) return `All of it is in cluster ${name(0)}.`;
  if (changes.length > 3) {
    const names = [...new Set(clusters)].map((c) => world.clusterName(c));
    return `It passes ${names.length} clusters: ${listed(names)}.`;
  }
  const told = changes.map((i) => `${name(i - 1)} turns into ${name(i)} at `
    + `${Math.round((100 * i) / (n - 1))} %`);
  return `${listed(told)}.`;
}

/** The sentence below a path. */
export function pathWords(world, way, through, { shares, logDensity, n }) {
  const parts = [densityWords(logDensity, way, world.header.ownClusters)];
  if (through.length) {
    const names = listed(through.map((c) => world.clusterName(c)));
    parts.push(`The way leads through the mean${through.length > 1 ? "s" : ""} of ${names}.`);
  }
  parts.push(clusterWordsAlong(shares, n, world));
  return parts.join(" ");
}
