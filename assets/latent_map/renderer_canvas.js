/** Draws the same points on a 2-D canvas, where there is no WebGL2. Slower. */
import { WRONG_CODE, rgb } from "./colouring.js";
import { atlasShape, faintness, tiled } from "./renderer_webgl.js";

export class CanvasRenderer {
  constructor(canvas) {
    this.name = "canvas2d";
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    if (!this.context) throw new Error("This browser draws no canvas.");
    this.pictures = null;
    this.sheets = new Map();
  }

  retain() {}

  canShow(pictures, n) {
    return atlasShape(pictures, n, 8192) !== null;
  }

  /** @param {import("./renderer_webgl.js").Scene} scene */
  draw(scene, marks, pictures) {
    const { canvas, context } = this;
    const { moment, camera, colouring } = scene;
    const ratio = canvas.width / camera.width;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, camera.width, camera.height);
    const codes = colouring.codesOf(moment.nearest);
    const weak = new Map();
    const strong = new Map();
    for (let i = 0; i < marks.length; i++) {
      const [x, y] = camera.toScreen(...moment.place(i));
      if (x < -40 || y < -40 || x > camera.width + 40 || y > camera.height + 40) continue;
      const stands = (scene.isolate < 0 || codes[i] === scene.isolate)
        && (!scene.selecting || marks[i] > 0);
      const layer = stands ? strong : weak;
      let list = layer.get(codes[i]);
      if (!list) layer.set(codes[i], (list = []));
      list.push(i, x, y);
    }
    if (scene.pictures && pictures) this.#usePictures(pictures, marks.length);
    for (const [layer, alpha] of [[weak, faintness(marks.length)], [strong, 0.9]]) {
      context.globalAlpha = alpha;
      for (const [code, list] of layer) {
        if (scene.pictures && this.shape) this.#drawPictures(code, list, scene);
        else this.#drawDots(code, list, scene);
      }
    }
    context.globalAlpha = 1;
  }

  #drawDots(code, list, { colouring, size }) {
    const { context } = this;
    const isCross = colouring.name === "right" && code === WRONG_CODE;
    const half = isCross ? size * 0.6 : size / 2;
    context.beginPath();
    if (isCross) {
      for (let j = 0; j < list.length; j += 3) {
        const [x, y] = [list[j + 1], list[j + 2]];
        context.moveTo(x - half, y - half);
        context.lineTo(x + half, y + half);
        context.moveTo(x + half, y - half);
        context.lineTo(x - half, y + half);
      }
      context.lineWidth = size / 3;
      context.strokeStyle = colouring.colour(code);
      context.stroke();
      return;
    }
    for (let j = 0; j < list.length; j += 3) {
      const [x, y] = [list[j + 1], list[j + 2]];
      if (size < 4) {
        context.rect(x - half, y - half, size, size);
      } else {
        context.moveTo(x + half, y);
        context.arc(x, y, half, 0, 7);
      }
    }
    context.fillStyle = colouring.colour(code);
    context.fill();
  }

  #drawPictures(code, list, { colouring, size }) {
    const { columns } = this.shape;
    const { width, height } = this.pictures;
    const sheet = this.#sheetOf(colouring.colour(code));
    // Wrong ones are larger, as their crosses are: colour is not the only sign.
    const isWrong = colouring.name === "right" && code === WRONG_CODE;
    const side = (isWrong ? 1.35 : 1) * size / Math.max(width, height);
    const [w, h] = [side * width, side * height];
    for (let j = 0; j < list.length; j += 3) {
      const [i, x, y] = [list[j], list[j + 1], list[j + 2]];
      const [left, top] = [(i % columns) * width, Math.floor(i / columns) * height];
      this.context.drawImage(sheet, left, top, width, height, x - w / 2, y - h / 2, w, h);
    }
  }

  #usePictures(pictures, n) {
    if (this.pictures === pictures) return;
    this.pictures = pictures;
    this.sheets.clear();
    this.shape = atlasShape(pictures, n, 8192);
    this.levels = this.shape ? tiled(pictures, n, this.shape) : null;
  }

  /** All pictures in one colour, the ink opaque. */
  #sheetOf(colour) {
    let sheet = this.sheets.get(colour);
    if (sheet) return sheet;
    // Amounts have many colours: keep a few sheets and make room for the next.
    if (this.sheets.size >= 24) this.sheets.delete(this.sheets.keys().next().value);
    const { columns, rows, tileWidth, tileHeight } = this.shape;
    sheet = document.createElement("canvas");
    sheet.width = columns * tileWidth;
    sheet.height = rows * tileHeight;
    const context = sheet.getContext("2d");
    const image = context.createImageData(sheet.width, sheet.height);
    const [r, g, b] = rgb(colour);
    for (let i = 0; i < this.levels.length; i++) {
      image.data.set([r, g, b, this.levels[i]], 4 * i);
    }
    context.putImageData(image, 0, 0);
    this.sheets.set(colour, sheet);
    return sheet;
  }

  destroy() {
    this.sheets.clear();
  }
}
