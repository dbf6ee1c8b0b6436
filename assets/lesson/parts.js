/** Small parts that the lesson's pictures are made of. */

/** An element with attributes; `on` holds listeners, null and false are left out. */
export function make(tag, { on = {}, ...attributes } = {}, ...children) {
  const found = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) found.setAttribute(name, value);
  }
  for (const [name, listener] of Object.entries(on)) found.addEventListener(name, listener);
  found.append(...children);
  return found;
}

/**
 * A slider under a name that shows its value. Dragged, it lets go of the focus afterwards, so
 * that a presenter's clicker turns the page again.
 */
export class Slide {
  /** @param {(value: number) => string} words  what it shows of a value */
  constructor({ name, title, min, max, step, value, words, onInput }) {
    this.words = words;
    this.value = make("output", { class: "ls-value" });
    this.input = make("input", {
      type: "range", min, max, step, value, "aria-label": title, "data-set": name,
      on: {
        input: () => {
          this.#say();
          onInput(Number(this.input.value));
        },
        pointerup: () => this.input.blur(),
      },
    });
    this.root = make("label", { class: "ls-slide" }, make("span", {}, title), this.input, this.value);
    this.#say();
  }

  set(value) {
    this.input.value = value;
    this.#say();
  }

  #say() {
    this.value.textContent = this.words(Number(this.input.value));
    this.input.setAttribute("aria-valuetext", this.value.textContent);
  }
}

/** Where a sample is drawn. */
export function sampleCanvas(world, classes = "") {
  const canvas = make("canvas", { class: `ls-sample ${classes}` });
  const [height, width] = world.shape ?? [96, 160];
  [canvas.width, canvas.height] = [width, height];
  canvas.style.aspectRatio = `${width} / ${height}`;
  return canvas;
}

/** Draws one sample: a picture, or a line where it is none. */
export function paint(world, canvas, values, offset = 0) {
  const { shape, low, high, nFeatures } = world;
  if (shape && (low !== 0 || high !== 1)) {
    const grey = Float32Array.from(
      values.subarray(offset, offset + nFeatures), (v) => (v - low) / (high - low || 1),
    );
    drawGrey(canvas, grey, 0, shape);
  } else if (shape) drawGrey(canvas, values, offset, shape);
  else drawProfile(canvas, values, offset, nFeatures, { low, high });
  canvas.dataset.drawn = Number(canvas.dataset.drawn ?? 0) + 1;
}

/** A row of the lesson's samples; one is chosen. */
export class Strip {
  /** @param {(i: number) => void} onChoose */
  constructor(world, onChoose) {
    this.buttons = world.names.map((name, i) => {
      const canvas = sampleCanvas(world);
      paint(world, canvas, world.samples, i * world.nFeatures);
      return make("button", {
        type: "button", class: "ls-thumb", "data-pick": i, title: name, "aria-label": `Sample ${name}`,
        on: { click: () => onChoose(i) },
      }, canvas);
    });
    this.root = make("div", { class: "ls-strip", role: "group", "aria-label": "Choose a sample" },
      ...this.buttons);
  }

  press(...chosen) {
    this.buttons.forEach((button, i) => button.setAttribute("aria-pressed", chosen.includes(i)));
  }
}

/** A canvas to draw on in CSS pixels: its context, width and height. */
export function freshContext(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  canvas.width = Math.max(1, Math.round(width * ratio));
  canvas.height = Math.max(1, Math.round(height * ratio));
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return [context, width, height];
}

/** The size of type on the page, in CSS pixels. */
export function typeSize() {
  return parseFloat(getComputedStyle(document.documentElement).fontSize) || 16;
}

/** A name over a part of the picture. */
export function titled(title, ...children) {
  return make("div", { class: "ls-titled" }, make("div", { class: "ls-name" }, title), ...children);
}
