/** What one sees along a path, in words. */
import { numberText, percentOf } from "./parts.js";
import { clearClusters } from "./paths.js";

/** A change of the density by so many nats, a factor of 20, is worth a word. */
const WORTH_SAYING = 3;
/** Below its ends by more, a factor of 3,000, a valley is not shallow. */
const SHALLOW = 8;
/** Twice as far out, squared, as nearly all of a Gaussian is far from it. */
const FAR = 4;
/** On more of the way than this, that no cluster stands out is worth a word. */
const MUCH_OF_WAY = 0.1;

/**
 * Within this squared distance, in standard deviations, lies nearly all of a Gaussian (98 % or
 * more): that distance has the mean J and the variance 2 J.
 */
const reachOf = (dim) => dim + 3 * Math.sqrt(2 * dim);

/** Names joined as one says them. */
export function listed(names) {
  if (names.length < 2) return names.join("");
  return `${names.slice(0, -1).join(", ")} and ${names[names.length - 1]}`;
}

const nats = (value) => `${numberText(value)} nat${Math.round(value) === 1 ? "" : "s"}`;

/**
 * How the density changes on the way.
 * @param {{logDensity: ArrayLike<number>, distances: ArrayLike<number>}} density  of Mixture.read
 * @param {{ownClusters: boolean, gaussian: boolean, latentDim: number}} header
 */
export function densityWords({ logDensity, distances }, way, { ownClusters, gaussian, latentDim }) {
  const last = logDensity.length - 1;
  const [a, b] = [logDensity[0], logDensity[last]];
  const fall = Math.min(a, b) - Math.min(...logDensity);
  const rise = Math.max(...logDensity) - Math.max(a, b);
  const reach = reachOf(latentDim);
  const [atA, atB, furthest] = [distances[0], distances[last], Math.max(...distances)];
  const far = ["A", "B"].filter((_, i) => [atA, atB][i] > FAR * reach);
  const these = ownClusters ? "these Gaussians" : "this Gaussian";
  const their = ownClusters ? "these Gaussians have their" : "this Gaussian has its";
  const where = `where ${gaussian ? "the prior has its" : their} mass`;

  const change = () => {
    if (fall >= WORTH_SAYING) {
      const leaves = !far.length && furthest > Math.max(reach, atA, atB);
      const valley = fall < SHALLOW ? ": a shallow valley" : "";
      const why = leaves ? ": the path leaves the clusters" : valley;
      return `falls ${nats(fall)} below both ends${ownClusters ? why : ""}`;
    }
    if (!ownClusters && way === "straight") {
      const how = rise >= WORTH_SAYING ? `rises by ${nats(rise)}` : "has no valley";
      return `${how} between the two: on a straight line a single Gaussian never falls below its `
        + "lower end";
    }
    if (rise >= WORTH_SAYING) {
      return `rises by ${nats(rise)} between the two: the path crosses a denser place`;
    }
    const stays = furthest <= reach ? `: the path stays ${where}` : "";
    if (Math.abs(a - b) < WORTH_SAYING) return `falls nowhere clearly below its ends${stays}`;
    const [thin, dense] = a < b ? ["A", "B"] : ["B", "A"];
    return `is ${nats(Math.abs(a - b))} lower at ${thin} than at ${dense}, and falls nowhere clearly `
      + `below that${stays}`;
  };
  const words = `The density${gaussian ? "" : ` of ${these}`} ${change()}.`;
  if (!far.length) return words;
  return `${words} ${far.length > 1 ? "Both ends lie" : `${far[0]} lies`} far from ${where}.`;
}

/** Which clusters the path is in, and where it changes. */
export function clusterWordsAlong(shares, n, world) {
  const clusters = clearClusters(shares, n, world.assigning.k);
  const held = [...clusters.keys()].filter((i) => clusters[i] >= 0);
  if (!held.length) {
    const most = percentOf(shares.reduce((x, y) => Math.max(x, y), 0));
    return `No cluster stands out along the way: p(c|z) is ${most} at most.`;
  }
  const name = (i) => world.clusterName(clusters[i]);
  const without = 1 - held.length / n;
  const changes = held.slice(1).map((i, at) => [held[at], i])
    .filter(([before, i]) => clusters[i] !== clusters[before]);
  if (!changes.length) {
    if (!without) return `All of it is in cluster ${name(0)}.`;
    return `Only cluster ${name(held[0])} stands out, on ${percentOf(1 - without)} of the way.`;
  }
  const rest = without > MUCH_OF_WAY ? ` On ${percentOf(without)} of the way no cluster stands out.` : "";
  if (changes.length > 3) {
    const names = [...new Set(held.map(name))];
    return `It passes ${names.length} clusters: ${listed(names)}.${rest}`;
  }
  const told = changes.map(([before, i]) => `${name(before)} turns into ${name(i)} at `
    + percentOf((before + i) / 2 / (n - 1)));
  return `${listed(told)}.${rest}`;
}

/** The sentence below a path. */
export function pathWords(world, way, through, shares, density) {
  const parts = [densityWords(density, way, world.header)];
  if (through.length) {
    const names = listed(through.map((c) => world.clusterName(c)));
    parts.push(`The way leads through the mean${through.length > 1 ? "s" : ""} of ${names}.`);
  }
  parts.push(clusterWordsAlong(shares, density.logDensity.length, world));
  return parts.join(" ");
}
