/** Small parts that the views are made of: elements, samples on canvases, bars, tiles. */

/**
 * An element with attributes and children; `on` holds listeners.
 * @returns {HTMLElement}
 */
export function build(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") for (const [kind, f] of Object.entries(value)) element.addEventListener(kind, f);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** A row of buttons of which one is pressed. */
export class Choices {
  /**
   * @param {Record<string, string>} titles  by name
   * @param {(name: string) => void} choose
   */
  constructor(titles, choose, label) {
    this.root = build("div", { class: "ip-choices", role: "group", "aria-label": label });
    this.buttons = new Map();
    for (const [name, title] of Object.entries(titles)) {
      const button = build("button", {
        type: "button", "data-name": name, on: { click: () => choose(name) },
      }, title);
      this.buttons.set(name, button);
      this.root.append(button);
    }
  }

  press(name) {
    for (const [own, button] of this.buttons) button.setAttribute("aria-pressed", own === name);
  }
}

/** What a sample that is no picture is drawn on, in pixels: height and width. */
const PROFILE_TILE = [72, 120];

/** Height and width of one sample's tile. */
export function tileOf(world) {
  return world.shape ?? PROFILE_TILE;
}

/** Draws one sample: a picture, or a line where it is none. */
export function paintSample(world, canvas, values, offset = 0) {
  if (world.shape) {
    drawGrey(canvas, values, offset, world.shape);
    return;
  }
  [canvas.height, canvas.width] = PROFILE_TILE;
  const { low, high } = world.header;
  drawProfile(canvas, values, offset, world.nFeatures, { low, high });
}

/** Many samples on one canvas, row by row. */
export class Tiles {
  constructor(world, rows, columns) {
    Object.assign(this, { world, rows, columns });
    this.tile = tileOf(world);
    this.canvas = build("canvas", { class: "ip-tiles" });
    this.canvas.height = rows * this.tile[0];
    this.canvas.width = columns * this.tile[1];
    this.context = this.canvas.getContext("2d");
    this.single = document.createElement("canvas");
  }

  /** Draws `count` samples from the `first` tile on. */
  paint(values, first, count) {
    const { world, columns, tile: [height, width], context } = this;
    for (let i = 0; i < count; i++) {
      const at = first + i;
      const [left, top] = [(at % columns) * width, Math.floor(at / columns) * height];
      if (world.shape) {
        drawGrey(context, values, i * world.nFeatures, world.shape, left, top);
      } else {
        paintSample(world, this.single, values, i * world.nFeatures);
        context.clearRect(left, top, width, height);
        context.drawImage(this.single, left, top);
      }
    }
    this.canvas.dataset.painted = Math.max(Number(this.canvas.dataset.painted ?? 0), first + count);
  }

  /** The tile under the pointer, or -1. */
  at(event) {
    const box = this.canvas.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left) / box.width) * this.columns);
    const row = Math.floor(((event.clientY - box.top) / box.height) * this.rows);
    const inside = row >= 0 && row < this.rows && column >= 0 && column < this.columns;
    return inside ? row * this.columns + column : -1;
  }
}

/** Clusters in the order in which people look for them: by their names, 2 before 10. */
export function byName(world, clusters) {
  const name = (c) => String(world.clusterName(c));
  return clusters.sort((a, b) => name(a).localeCompare(name(b), "en", { numeric: true }) || a - b);
}

/** Above so many clusters only the likeliest are named. */
const MOST_BARS = 14;

/** p(c|z) as bars. */
export class GammaBars {
  constructor(world) {
    this.world = world;
    this.root = build("div", { class: "ip-bars", role: "img" });
    this.rows = [];
    const count = Math.min(world.assigning.k, MOST_BARS);
    for (let i = 0; i < count; i++) {
      const [name, fill, share] = ["b", "i", "span"].map((tag) => build(tag));
      this.root.append(build("div", { class: "ip-bar" }, name, build("u", {}, fill), share));
      this.rows.push({ name, fill, share });
    }
    /** Which clusters have a bar; null for the likeliest of each latent. @type {number[]|null} */
    this.offered = null;
  }

  /** Has bars for the largest from now on. @param {[number, number][]} sizes  cluster and size */
  offer(sizes) {
    const largest = [...sizes].sort((a, b) => b[1] - a[1]).slice(0, this.rows.length);
    this.offered = byName(this.world, largest.map(([c]) => c));
  }

  show(z) {
    const { world, rows } = this;
    const { shares } = world.assigning.read(z, 1);
    let order = this.offered;
    if (!order) {
      order = [...shares.keys()].sort((a, b) => shares[b] - shares[a]).slice(0, rows.length);
      byName(world, order);
    }
    rows.forEach(({ name, fill, share }, i) => {
      const c = order[i];
      name.textContent = world.clusterName(c);
      fill.style.width = `${100 * shares[c]}%`;
      fill.style.background = world.looks[c].colour;
      share.textContent = percentOf(shares[c]);
    });
    const top = order.reduce((a, b) => (shares[b] > shares[a] ? b : a));
    const words = `p(c|z): ${world.clusterName(top)} ${percentOf(shares[top])}`;
    this.root.setAttribute("aria-label", words);
    this.root.dataset.top = world.clusterName(top);
  }
}

/** A number as it is read: thousands apart, and a minus sign. */
export function numberText(value, digits = 0) {
  const exact = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  // What is rounded to nothing has no sign.
  const rounded = Number(value.toFixed(digits)) || 0;
  return rounded.toLocaleString("en", exact).replace("-", "−");
}

export function percentOf(share) {
  return `${Math.round(100 * share)} %`;
}

/** A place that a sample is chosen for, as a button with a large picture. */
export class Slot {
  /**
   * @param {any} app  the Interpolation
   * @param {string} label
   * @param {number} index  among the view's slots
   */
  constructor(app, label, index) {
    this.app = app;
    this.label = label;
    this.code = null;
    this.canvas = build("canvas", { class: "ip-sample" });
    this.words = build("span", { class: "ip-slot-words" });
    this.root = build("button", {
      type: "button", class: "ip-slot", "data-slot": label,
      title: `Choose ${label}: click here, then a digit or a place on the map`,
      on: { click: () => app.activate(index) },
    }, this.canvas, build("b", {}, label), this.words);
  }

  show(code) {
    if (code === this.code && this.drawn) return;
    this.code = code;
    this.drawn = false;
    const { app } = this;
    this.words.textContent = app.world.words(code);
    const real = app.world.realPicture(code);
    if (real) {
      paintSample(app.world, this.canvas, real);
      this.drawn = true;
      return;
    }
    app.engine?.one(`slot ${this.label}`, app.world.latent(code), (values) => {
      if (code !== this.code) return;
      paintSample(app.world, this.canvas, values);
      this.drawn = true;
    });
  }
}

/** Hands a canvas to the person as a PNG file. */
export function saveCanvas(canvas, name) {
  canvas.toBlob((blob) => {
    const address = URL.createObjectURL(blob);
    build("a", { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
  }, "image/png");
}

/** Edge of a picture on a sheet that is taken away, in pixels. */
const SHEET_TILE = 112;

/** Canvases beside each other on one sheet, enlarged as crisp pixels. */
export function sheetOf(world, canvases, columns = canvases.length) {
  const [height, width] = tileOf(world);
  const factor = world.shape ? Math.max(1, Math.round(SHEET_TILE / Math.max(height, width))) : 1;
  const [tall, wide] = [height * factor, width * factor];
  const gap = 4;
  const rows = Math.ceil(canvases.length / columns);
  const sheet = document.createElement("canvas");
  sheet.width = columns * (wide + gap) - gap;
  sheet.height = rows * (tall + gap) - gap;
  const context = sheet.getContext("2d");
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, sheet.width, sheet.height);
  context.imageSmoothingEnabled = false;
  canvases.forEach((canvas, i) => {
    const [left, top] = [(i % columns) * (wide + gap), Math.floor(i / columns) * (tall + gap)];
    context.drawImage(canvas, left, top, wide, tall);
  });
  return sheet;
}

/** One canvas of tiles, enlarged as crisp pixels. */
export function enlarged(canvas, world) {
  const factor = world.shape ? Math.max(1, Math.round(72 / Math.max(...world.shape))) : 1;
  const sheet = document.createElement("canvas");
  [sheet.width, sheet.height] = [canvas.width * factor, canvas.height * factor];
  const context = sheet.getContext("2d");
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, sheet.width, sheet.height);
  context.imageSmoothingEnabled = false;
  context.drawImage(canvas, 0, 0, sheet.width, sheet.height);
  return sheet;
}
