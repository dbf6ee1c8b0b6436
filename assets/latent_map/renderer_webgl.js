/** Draws the points with WebGL2: two frames and a time between them, moved by the GPU. */

/**
 * @typedef {object} Scene
 * @property {import("./view.js").Moment} moment
 * @property {import("./view.js").Camera} camera
 * @property {import("./colouring.js").Colouring} colouring
 * @property {number} size  of a point in CSS pixels
 * @property {boolean} pictures  whether to draw pictures instead of dots
 * @property {number} isolate  the code that stands out, -1 for none
 * @property {boolean} selecting  whether only marked points stand out
 * @property {number[]} background  of the page, RGB
 */

const VERTEX = `#version 300 es
precision highp float;
layout(location = 0) in vec2 fromPlace;
layout(location = 1) in vec2 toPlace;
layout(location = 2) in float fromCode;
layout(location = 3) in float toCode;
layout(location = 4) in float mark;
uniform vec4 fromBox, toBox, camera;
uniform float t, size, isolate, selecting, strongOnly, crosses, columns, faint;
uniform sampler2D palette;
flat out vec4 colour;
flat out float cross;
flat out vec2 tile;
vec3 colourOf(float code) { return texelFetch(palette, ivec2(int(code), 0), 0).rgb; }
void main() {
  vec2 a = fromBox.xy + fromPlace * fromBox.zw;
  vec2 b = toBox.xy + toPlace * toBox.zw;
  float code = t < 0.5 ? fromCode : toCode;
  bool strong = (isolate < 0.0 || code == isolate) && (selecting < 0.5 || mark > 0.5);
  gl_Position = vec4(mix(a, b, t) * camera.xy + camera.zw, 0.0, 1.0);
  if (strong != (strongOnly > 0.5)) gl_Position = vec4(2.0, 2.0, 2.0, 1.0);
  colour = vec4(mix(colourOf(fromCode), colourOf(toCode), t), strong ? 0.9 : faint);
  cross = crosses * (code == 1.0 ? 1.0 : 0.0);
  gl_PointSize = size * (1.0 + 0.35 * cross);
  float id = float(gl_VertexID);
  float row = floor((id + 0.5) / columns);
  tile = vec2(id - row * columns, row);
}`;

const DOT_FRAGMENT = `#version 300 es
precision mediump float;
flat in vec4 colour;
flat in float cross;
flat in vec2 tile;
uniform float pixel;
out vec4 result;
void main() {
  vec2 p = gl_PointCoord * 2.0 - 1.0;
  float away = cross > 0.5
    ? max(min(abs(p.x - p.y), abs(p.x + p.y)) * 0.7071 + 0.68, max(abs(p.x), abs(p.y)))
    : length(p);
  float alpha = colour.a * (1.0 - smoothstep(1.0 - pixel, 1.0, away));
  result = vec4(colour.rgb * alpha, alpha);
}`;

const PICTURE_FRAGMENT = `#version 300 es
precision mediump float;
flat in vec4 colour;
flat in float cross;
flat in vec2 tile;
uniform sampler2D atlas;
uniform vec2 tileShare;
uniform vec3 background;
uniform float aspect;
out vec4 result;
void main() {
  vec2 p = gl_PointCoord - 0.5;
  p = aspect > 1.0 ? vec2(p.x, p.y * aspect) : vec2(p.x / aspect, p.y);
  if (max(abs(p.x), abs(p.y)) > 0.5) discard;
  float ink = texture(atlas, (tile + clamp(p + 0.5, 0.02, 0.98)) * tileShare).r;
  float shade = colour.a > 0.5 ? mix(0.55, 1.0, ink) : mix(0.0, 0.25, ink);
  result = vec4(mix(background, colour.rgb, smoothstep(0.0, 0.7, ink)) * shade, shade);
}`;

export class WebglRenderer {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {() => void} onRestored  called after a lost context has come back
   */
  constructor(canvas, onRestored) {
    this.name = "webgl2";
    this.canvas = canvas;
    const options = { antialias: false, alpha: true, powerPreference: "high-performance" };
    this.gl = canvas.getContext("webgl2", options);
    if (!this.gl) throw new Error("no WebGL2");
    this.lost = false;
    this.onLost = (event) => {
      event.preventDefault();
      this.lost = true;
    };
    this.onRestored = () => {
      this.lost = false;
      this.#prepare();
      onRestored();
    };
    canvas.addEventListener("webglcontextlost", this.onLost);
    canvas.addEventListener("webglcontextrestored", this.onRestored);
    this.#prepare();
  }

  #prepare() {
    const { gl } = this;
    this.dots = program(gl, VERTEX, DOT_FRAGMENT);
    this.sprites = program(gl, VERTEX, PICTURE_FRAGMENT);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.disable(gl.DEPTH_TEST);
    for (let i = 0; i < 5; i++) gl.enableVertexAttribArray(i);
    /** Buffers of positions and codes by frame. */
    this.places = new Map();
    this.codes = new Map();
    this.markBuffer = gl.createBuffer();
    this.paletteTexture = texture(gl, gl.NEAREST, gl.NEAREST);
    this.atlas = null;
    this.colouring = null;
    this.marks = null;
    this.pictures = null;
  }

  /** Frees buffers of frames that are no longer held. */
  retain(frames) {
    const held = new Set(frames);
    for (const buffers of [this.places, this.codes]) {
      for (const [frame, buffer] of buffers) {
        if (held.has(frame)) continue;
        this.gl.deleteBuffer(buffer);
        buffers.delete(frame);
      }
    }
  }

  /** Whether pictures of this size and number fit into a texture. */
  canShow(pictures, n) {
    return atlasShape(pictures, n, this.gl.getParameter(this.gl.MAX_TEXTURE_SIZE)) !== null;
  }

  /** @param {Scene} scene @param {Uint8Array} marks @param {any} pictures */
  draw(scene, marks, pictures) {
    const { gl, canvas } = this;
    if (this.lost || gl.isContextLost()) return;
    const { moment, camera, colouring } = scene;
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    this.#useColouring(colouring);
    this.#useMarks(marks);
    const asPictures = scene.pictures && this.#usePictures(pictures, marks.length);
    const { id, at } = asPictures ? this.sprites : this.dots;
    gl.useProgram(id);
    const { from, to, t } = moment;
    attribute(gl, 0, this.#placesOf(from), 2, gl.UNSIGNED_SHORT, true);
    attribute(gl, 1, this.#placesOf(to), 2, gl.UNSIGNED_SHORT, true);
    attribute(gl, 2, this.#codesOf(from), 1, gl.UNSIGNED_BYTE, false);
    attribute(gl, 3, this.#codesOf(to), 1, gl.UNSIGNED_BYTE, false);
    attribute(gl, 4, this.markBuffer, 1, gl.UNSIGNED_BYTE, false);
    const ratio = canvas.width / camera.width;
    const [sx, sy] = [(2 * camera.scale) / camera.width, (2 * camera.scale) / camera.height];
    gl.uniform4f(at("camera"), sx, sy, -camera.cx * sx, -camera.cy * sy);
    gl.uniform4fv(at("fromBox"), from.box);
    gl.uniform4fv(at("toBox"), to.box);
    gl.uniform1f(at("t"), t);
    gl.uniform1f(at("size"), scene.size * ratio);
    gl.uniform1f(at("pixel"), Math.min(1, 2.5 / (scene.size * ratio)));
    gl.uniform1f(at("isolate"), scene.isolate);
    gl.uniform1f(at("selecting"), scene.selecting ? 1 : 0);
    gl.uniform1f(at("crosses"), colouring.name === "right" ? 1 : 0);
    gl.uniform1f(at("faint"), faintness(marks.length));
    gl.uniform1i(at("palette"), 0);
    gl.uniform1f(at("columns"), this.atlas?.columns ?? 1);
    if (asPictures) {
      const { width, height } = this.atlas;
      gl.uniform1i(at("atlas"), 1);
      gl.uniform2f(at("tileShare"), this.atlas.tileX, this.atlas.tileY);
      gl.uniform1f(at("aspect"), width / height);
      gl.uniform3fv(at("background"), scene.background.map((v) => v / 255));
    }
    // What stands out is drawn last, above the rest.
    const passes = scene.selecting || scene.isolate >= 0 ? [0, 1] : [1];
    for (const strong of passes) {
      gl.uniform1f(at("strongOnly"), strong);
      gl.drawArrays(gl.POINTS, 0, marks.length);
    }
  }

  #placesOf(frame) {
    return cached(this.gl, this.places, frame, () => frame.positions);
  }

  #codesOf(frame) {
    return cached(this.gl, this.codes, frame, () => this.colouring.codesOf(frame));
  }

  #useColouring(colouring) {
    if (this.colouring === colouring) return;
    const { gl } = this;
    this.colouring = colouring;
    for (const buffer of this.codes.values()) gl.deleteBuffer(buffer);
    this.codes.clear();
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, this.paletteTexture);
    const { palette } = colouring;
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, 256, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, palette);
  }

  #useMarks(marks) {
    if (this.marks === marks) return;
    this.marks = marks;
    this.gl.bindBuffer(this.gl.ARRAY_BUFFER, this.markBuffer);
    this.gl.bufferData(this.gl.ARRAY_BUFFER, marks, this.gl.DYNAMIC_DRAW);
  }

  #usePictures(pictures, n) {
    if (!pictures) return false;
    if (this.pictures === pictures) return this.atlas !== null;
    const { gl } = this;
    this.pictures = pictures;
    if (this.atlas) gl.deleteTexture(this.atlas.id);
    this.atlas = null;
    const shape = atlasShape(pictures, n, gl.getParameter(gl.MAX_TEXTURE_SIZE));
    if (!shape) return false;
    const { columns, rows, tileWidth, tileHeight } = shape;
    const wide = columns * tileWidth;
    const high = rows * tileHeight;
    const sheet = tiled(pictures, n, shape);
    gl.activeTexture(gl.TEXTURE1);
    const id = texture(gl, gl.LINEAR_MIPMAP_NEAREST, gl.LINEAR);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.R8, wide, high, 0, gl.RED, gl.UNSIGNED_BYTE, sheet);
    // Coarser levels would mix neighbouring pictures.
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAX_LOD, 1);
    gl.generateMipmap(gl.TEXTURE_2D);
    gl.activeTexture(gl.TEXTURE0);
    const { width, height } = pictures;
    this.atlas = { id, columns, width, height, tileX: 1 / columns, tileY: 1 / rows };
    return true;
  }

  destroy() {
    this.canvas.removeEventListener("webglcontextlost", this.onLost);
    this.canvas.removeEventListener("webglcontextrestored", this.onRestored);
    // Browsers keep only some 16 contexts: give this one back at once.
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
  }
}

/** Opacity of points that do not stand out: many of them would still add up to a solid. */
export function faintness(n) {
  return Math.max(0.03, 0.13 * Math.min(1, 3000 / Math.max(1, n)) ** 0.45);
}

/**
 * How n pictures are laid out on a sheet.
 * @returns {{columns: number, rows: number, tileWidth: number, tileHeight: number}|null}
 */
export function atlasShape({ width, height }, n, limit) {
  const columns = Math.max(1, Math.ceil(Math.sqrt((n * height) / width)));
  const rows = Math.max(1, Math.ceil(n / columns));
  const fits = columns * width <= limit && rows * height <= limit;
  return fits ? { columns, rows, tileWidth: width, tileHeight: height } : null;
}

/** The sheet's grey levels, row by row. */
export function tiled({ bytes, width, height }, n, { columns, rows }) {
  const wide = columns * width;
  const sheet = new Uint8Array(wide * rows * height);
  for (let i = 0; i < n; i++) {
    const corner = Math.floor(i / columns) * height * wide + (i % columns) * width;
    for (let y = 0; y < height; y++) {
      const start = (i * height + y) * width;
      sheet.set(bytes.subarray(start, start + width), corner + y * wide);
    }
  }
  return sheet;
}

function cached(gl, buffers, frame, values) {
  let buffer = buffers.get(frame);
  if (!buffer) {
    buffer = gl.createBuffer();
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.bufferData(gl.ARRAY_BUFFER, values(), gl.STATIC_DRAW);
    buffers.set(frame, buffer);
  }
  return buffer;
}

function attribute(gl, location, buffer, parts, type, isShare) {
  gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
  gl.vertexAttribPointer(location, parts, type, isShare, 0, 0);
}

function texture(gl, smaller, larger) {
  const id = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, id);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, smaller);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, larger);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
  return id;
}

/** @returns {{id: WebGLProgram, at: (name: string) => WebGLUniformLocation|null}} */
function program(gl, vertex, fragment) {
  const id = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(id, shader);
    gl.deleteShader(shader);
  }
  gl.linkProgram(id);
  if (!gl.getProgramParameter(id, gl.LINK_STATUS) && !gl.isContextLost()) {
    throw new Error(`The map's shader does not compile: ${gl.getProgramInfoLog(id)}`);
  }
  const known = new Map();
  const at = (name) => {
    if (!known.has(name)) known.set(name, gl.getUniformLocation(id, name));
    return known.get(name);
  };
  return { id, at };
}
