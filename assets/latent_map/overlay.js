/** What is drawn above the points: names, ellipses, trails, the hovered point, the lasso. */
import { Camera, placeIn } from "./view.js";
import { placesOfNames, spreadsOf, waysOut } from "./names.js";

const TRAILS_SHOWN = 150;

/**
 * @typedef {object} Marks
 * @property {import("./store.js").Store} store
 * @property {import("./view.js").Moment} moment
 * @property {import("./view.js").Camera} camera
 * @property {import("./colouring.js").Colouring} colouring  of the points
 * @property {import("./colouring.js").Colouring} byCluster  for the names
 * @property {number} isolate  the code that stands out, -1 for none
 * @property {number} hovered  -1 for none
 * @property {number} echoed  the point that is hovered on another map, -1 for none
 * @property {number} size  of a point in CSS pixels
 * @property {number[]} trailed  points whose trails are drawn
 * @property {number} position  place in time, such as 3.25
 * @property {number[][]} outline  corners of the lasso or box being drawn
 * @property {{cx: number, cy: number, scale: number}} home  from where the whole map is seen
 * @property {import("./view.js").Margins} margins  what title, legend and caption take
 * @property {string} text  colour of the text
 * @property {string} page  colour of the page
 * @property {string} font
 * @property {number} scale  of the type, 1 at its usual size
 */

/** @param {CanvasRenderingContext2D} context @param {Marks} marks */
export function drawOverlay(context, marks, ratio) {
  const { camera } = marks;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, camera.width, camera.height);
  if (marks.trailed.length) drawTrails(context, marks);
  if (marks.moment.nearest.ellipses) drawEllipses(context, marks);
  if (marks.moment.nearest.means) drawNames(context, marks);
  if (marks.hovered >= 0) drawRing(context, marks, marks.hovered);
  if (marks.echoed >= 0) drawEcho(context, marks);
  if (marks.outline.length > 1) drawOutline(context, marks);
}

function drawTrails(context, { store, camera, colouring, moment, position, trailed }) {
  const step = Math.max(1, Math.ceil(trailed.length / TRAILS_SHOWN));
  const shown = trailed.filter((_, i) => i % step === 0);
  const codes = colouring.codesOf(moment.nearest);
  const whole = Math.floor(position);
  context.lineWidth = 1.5;
  context.lineJoin = "round";
  for (const i of shown) {
    context.strokeStyle = colouring.colour(codes[i]);
    // Older parts are fainter, in three strokes: a stroke a segment would be slow.
    const thirds = [0, Math.floor(whole / 3), Math.floor((2 * whole) / 3), whole];
    for (let part = 0; part < 3; part++) {
      context.globalAlpha = [0.15, 0.3, 0.6][part];
      context.beginPath();
      for (let f = thirds[part]; f <= thirds[part + 1]; f++) {
        context.lineTo(...camera.toScreen(...placeIn(store.frames[f], i)));
      }
      if (part === 2) context.lineTo(...camera.toScreen(...moment.place(i)));
      context.stroke();
    }
  }
  context.globalAlpha = 1;
}

function drawEllipses(context, { store, moment, camera, byCluster, isolate, colouring }) {
  context.lineWidth = 2;
  for (let k = 0; k < store.nClusters; k++) {
    const x = moment.between("means", 2 * k);
    const y = moment.between("means", 2 * k + 1);
    const xx = moment.between("ellipses", 4 * k);
    const xy = moment.between("ellipses", 4 * k + 1);
    const yy = moment.between("ellipses", 4 * k + 3);
    if ([x, y, xx, xy, yy].includes(null)) continue;
    const middle = (xx + yy) / 2;
    const spread = Math.hypot((xx - yy) / 2, xy);
    const long = 2 * Math.sqrt(Math.max(0, middle + spread)) * camera.scale;
    const short = 2 * Math.sqrt(Math.max(0, middle - spread)) * camera.scale;
    const angle = -Math.atan2(2 * xy, xx - yy) / 2;
    const code = byCluster.clusterCode(moment.nearest, k);
    context.globalAlpha = isFaded(code, isolate, colouring) ? 0.12 : 0.55;
    context.strokeStyle = byCluster.colour(code);
    context.beginPath();
    context.ellipse(...camera.toScreen(x, y), long, short, angle, 0, 7);
    context.stroke();
  }
  context.globalAlpha = 1;
}

function isFaded(code, isolate, colouring) {
  const sameCodes = colouring.name === "cluster" || colouring.name === "label";
  return isolate >= 0 && sameCodes && code !== isolate;
}

function drawNames(context, marks) {
  const { store, moment, camera, byCluster, page, font, scale, isolate, colouring } = marks;
  context.textAlign = "center";
  context.textBaseline = "middle";
  const isSmall = Math.min(camera.width, camera.height) < 360;
  const radius = scale * (isSmall ? 11 : 14);
  context.font = `700 ${scale * (isSmall ? 15 : 17)}px ${font}`;
  const spreads = [moment.from, moment.to].map(spreadsOf);
  const ways = waysOfNames(marks, radius);
  const groups = [];
  for (let k = 0; k < store.nClusters; k++) {
    const mean = [moment.between("means", 2 * k), moment.between("means", 2 * k + 1)];
    if (mean.includes(null)) continue;
    const [x, y] = camera.toScreen(...mean);
    const name = byCluster.clusterName(moment.nearest, k);
    const half = Math.max(radius, context.measureText(name).width / 2 + radius - 6 * scale);
    const [before, after] = spreads.map((of) => of[k] ?? null);
    // An ellipse needs its mean marked, and is seen however tight it is.
    const spread = moment.nearest.ellipses ? null
      : before === null || after === null ? before ?? after : before + (after - before) * moment.t;
    const code = byCluster.clusterCode(moment.nearest, k);
    groups.push({
      x, y, half, name, code, way: ways[k] ?? [0, -1], isEmpty: isEmpty(moment.nearest, k),
      spread: spread === null ? null : spread * camera.scale,
    });
  }
  const places = placesOfNames(groups, radius).map((place, i) => ({ ...groups[i], place }));
  places.sort((a, b) => b.isEmpty - a.isEmpty); // the others lie above them
  places.forEach(({ place, half, name, code, x: meanX, y: meanY, isEmpty: faint }) => {
    const { x, beside } = place;
    // The name of a cluster that is in sight is read whole.
    const lowest = camera.height - radius - 2;
    const y = meanY <= camera.height ? Math.min(place.y, lowest) : place.y;
    if (x < -60 || y < -60 || x > camera.width + 60 || y > camera.height + 60) return;
    context.globalAlpha = isFaded(code, isolate, colouring) ? 0.2 : faint ? 0.35 : 1;
    context.strokeStyle = context.fillStyle = byCluster.colour(code);
    if (beside) {
      context.lineWidth = 2;
      context.beginPath();
      context.moveTo(meanX, meanY);
      context.lineTo(x, y);
      context.stroke();
    }
    context.beginPath();
    context.roundRect(x - half, y - radius, 2 * half, 2 * radius, radius);
    context.fill();
    context.lineWidth = 2.5;
    context.strokeStyle = page;
    context.stroke();
    context.fillStyle = byCluster.textOn(code);
    context.fillText(name, x, y + 1);
  });
  context.globalAlpha = 1;
}

/** Whether no point of a frame is in a cluster; not so where a frame has no clusters. */
function isEmpty(frame, cluster) {
  return frame.clusters != null && spreadsOf(frame)[cluster] === null;
}

/** Which way each cluster's name leaves its group; nothing for one that the last frame lacks. */
function waysOfNames({ store, camera, home, margins }, radius) {
  const last = store.frames[store.frames.length - 1];
  const spreads = spreadsOf(last);
  const there = [...spreads.keys()].filter((k) => last.means[2 * k] !== null);
  const whole = Object.assign(new Camera(), camera, home);
  const groups = there.map((k) => {
    const [x, y] = whole.toScreen(last.means[2 * k], last.means[2 * k + 1]);
    return { x, y, spread: spreads[k] === null ? null : spreads[k] * whole.scale };
  });
  const room = {
    left: 2, right: camera.width - margins.right,
    top: margins.top - radius, bottom: camera.height - margins.bottom + radius,
  };
  const ways = [];
  waysOut(groups, radius, room).forEach((way, i) => (ways[there[i]] = way));
  return ways;
}

function drawRing(context, { moment, camera, size, text }, i, more = 5) {
  context.beginPath();
  context.arc(...camera.toScreen(...moment.place(i)), size / 2 + more, 0, 7);
  context.lineWidth = 3;
  context.strokeStyle = text;
  context.stroke();
}

/** Two rings: nobody points here, so it must be found from afar. */
function drawEcho(context, marks) {
  drawRing(context, marks, marks.echoed);
  drawRing(context, marks, marks.echoed, 14);
}

function drawOutline(context, { outline, text }) {
  context.beginPath();
  for (const [x, y] of outline) context.lineTo(x, y);
  context.closePath();
  context.globalAlpha = 0.1;
  context.fillStyle = text;
  context.fill();
  context.globalAlpha = 1;
  context.lineWidth = 2;
  context.setLineDash([7, 5]);
  context.strokeStyle = text;
  context.stroke();
  context.setLineDash([]);
}
