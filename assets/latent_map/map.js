/** The map itself: joins frames, time, camera, drawing and controls. */
import { Store } from "./store.js";
import { Camera, momentAt, nearestPoint, pointsInside } from "./view.js";
import { COLOURINGS, Colouring } from "./colouring.js";
import { WebglRenderer } from "./renderer_webgl.js";
import { CanvasRenderer } from "./renderer_canvas.js";
import { drawOverlay } from "./overlay.js";
import { Scrubber } from "./scrubber.js";
import { Card, Legend, grouped, percent, write } from "./panels.js";
import { savePicture } from "./snapshot.js";
import { listenToGestures } from "./gestures.js";
import { LoopClock, Player } from "./player.js";
import { readTheme, typeScale } from "./theme.js";
import { handleKey } from "./keys.js";
import { Member } from "./link.js";

/** How each map was left, by its key: it comes back so when the page does. */
const remembered = new Map();

/** What all previews of the page play by. */
const previewClock = new LoopClock();

/** How far from a point, in CSS pixels, whoever means it may be off. */
const [MOUSE, FINGER] = [10, 20];

/** A map fills the window, but grows no further than a third higher than wide, controls left out. */
function heightInWindow(least, above) {
  return `max(${least}px, min(calc(100dvh - ${above}px), calc(1.33 * var(--wide) + 200px)))`;
}

class LatentMap {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
    this.store = new Store();
    this.camera = new Camera();
    this.player = new Player();
    this.colouring = null;
    this.byCluster = null;
    this.selection = [];
    this.marks = new Uint8Array(0);
    this.isolate = -1;
    this.mode = "pan";
    this.pictures = false;
    this.trails = false;
    this.outline = [];
    this.pointer = null;
    this.touched = -1;  // the point that a finger has tapped: its card goes along with it
    this.hovered = -1;
    this.echoed = -1;
    /** Points that stand out where nothing is selected; null for all. @type {number[]|null} */
    this.focus = null;
    /** @type {Member|null} */
    this.member = null;
    this.renderer = null;
    this.request = 0;
    this.draws = 0;
    this.askedAt = -Infinity;
    this.toldFrame = null;
    this.telling = 0;
    this.margins = { left: 0, right: 0, top: 0, bottom: 0 };
    this.find = (name) => root.querySelector(`.lm-${name}`);
    this.button = (act) => root.querySelector(`[data-act="${act}"]`);
    this.legend = new Legend(this.find("legend"), (code) => this.toggleIsolate(code));
    this.card = new Card(this.find("card"));
    this.scrubber = new Scrubber(this.find("track"), {
      drag: (position) => this.change(() => this.player.drag(position)),
      release: () => this.change(() => this.player.goTo(this.player.position, 0.15)),
    });
    this.#listen();
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.find("stage"));
    this.observer.observe(this.find("track"));
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    this.narrow = matchMedia("(width <= 640px)"); // as in map.css: the legend stands below
    this.onCalm = () => this.change(() => (this.player.stepwise = this.calm.matches));
    this.calm.addEventListener("change", this.onCalm);
    this.onCalm();
    this.onClock = () => this.change();
  }

  #listen() {
    const acts = {
      play: () => this.togglePlay(),
      pause: () => previewClock.toggle(performance.now()),
      back: () => keys.step(-1),
      on: () => keys.step(1),
      news: () => this.change(() => this.player.goTo(this.player.last, 0.8)),
      pictures: () => this.change(() => (this.pictures = !this.pictures)),
      trails: () => this.change(() => (this.trails = !this.trails)),
      box: () => this.setMode("box"),
      lasso: () => this.setMode("lasso"),
      clear: () => this.select([]),
      reset: () => this.goHome(),
      save: () => savePicture(this),
    };
    for (const [act, run] of Object.entries(acts)) {
      this.button(act).addEventListener("click", run);
    }
    this.find("speed").addEventListener("change", (event) => {
      this.player.speed = Number(event.target.value);
    });
    this.find("colour").addEventListener("change", (event) => this.colourBy(event.target.value));
    const keys = {
      play: () => (this.member ? this.member.command("play") : acts.play()),
      step: (frames) => (this.member ? this.member.command("step", frames)
        : this.change(() => this.player.step(frames))),
      first: () => (this.member ? this.member.command("first")
        : this.change(() => this.player.goTo(0))),
      last: () => (this.member ? this.member.command("last")
        : this.change(() => this.player.goTo(this.player.last))),
      digit: (digit) => this.toggleIsolate(this.legend.codeOfKey(digit)),
      letGo: () => this.#letGo(),
    };
    this.root.addEventListener("keydown", (event) => {
      if (!this.header?.preview) handleKey(event, keys);
    });
    listenToGestures(this.find("over"), {
      mode: () => this.mode,
      pan: (dx, dy) => this.moveCamera(() => this.camera.pan(dx, dy)),
      zoom: (px, py, factor) => this.moveCamera(() => this.camera.zoomAt(px, py, factor)),
      reset: () => this.goHome(),
      hover: (px, py) => this.#pointTo([px, py]),
      leave: () => this.#pointTo(null),
      outline: (outline) => this.change(() => (this.outline = outline)),
      click: (px, py, byFinger) => {
        const i = this.pointAt(px, py, byFinger ? FINGER : MOUSE);
        if (i >= 0) this.select([i]);
        this.#pointTo([px, py], byFinger ? i : -1);
      },
      select: (outline) => {
        if (!this.store.frames.length) return;
        const { store, camera } = this;
        this.select(pointsInside(this.moment(), camera, store.n, outline, this.counts()));
      },
    });
  }

  /** Takes a message from the server. */
  update(data, setStateValue) {
    this.setStateValue = setStateValue;
    const { outcome, header } = this.store.accept(data);
    this.header = header;
    const { height, above } = header;
    if (header.preview) this.#becomePreview();
    else if (header.group) this.#becomeMember();
    if (!header.preview) this.root.style.height = above ? heightInWindow(height, above) : `${height}px`;
    this.#tellWidth();
    this.theme = readTheme(this.root);
    if (header.pace) this.player.pace = header.pace;
    if (outcome === "gap") {
      this.#askForAll();
      return;
    }
    if (!this.renderer) this.#startRenderer();
    const { store, player } = this;
    if (outcome === "new run") {
      this.#startRun();
    } else if (outcome === "frames") {
      player.setCount(store.frames.length);
      this.#refit();
    }
    const wanted = this.colouring?.name ?? header.colour;
    if (header.colour !== this.colourAskedFor) {
      this.colourAskedFor = header.colour;
      this.#offerColours(outcome === "new run" ? wanted : header.colour);
    } else if (outcome !== "nothing") {
      this.#offerColours(wanted);
    }
    this.colouring.retain(store.frames);
    this.byCluster.retain(store.frames);
    this.renderer.retain(store.frames);
    this.resize();
    if (outcome !== "nothing") this.member?.join();
  }

  /** Only plays, with its pause button: what covers it on the page takes clicks and the wheel. */
  #becomePreview() {
    const { root, player, header } = this;
    if (player.clock) return;
    player.clock = previewClock;
    previewClock.listeners.add(this.onClock);
    root.classList.add("lm-preview");
    root.removeAttribute("tabindex");
    root.setAttribute("aria-label", header.label);
    this.button("pause").hidden = false;
    if (!this.calm.matches && !previewClock.held) previewClock.play(performance.now());
  }

  /** One of several maps beside one another: time and tools are the group's. */
  #becomeMember() {
    if (this.member) {
      this.member.takeHeader(this.header);
      return;
    }
    this.member = new Member(this);
    this.player.clock = this.member.clock;
    this.root.classList.add("lm-member");
    this.root.setAttribute("aria-label", this.header.group.title);
  }

  #askForAll() {
    const now = Date.now();
    if (now - this.askedAt < 3000) return;
    this.askedAt = now;
    this.setStateValue("need", { stamp: now });
  }

  #startRenderer() {
    let canvas = this.find("points");
    if (!this.header.forceCanvas2d) {
      try {
        this.renderer = new WebglRenderer(canvas, () => this.change());
        return;
      } catch (problem) {
        console.warn(`The map is drawn without WebGL2 (${problem.message}).`);
        // A canvas that once had a context of one kind never gives another.
        const fresh = canvas.cloneNode();
        canvas.replaceWith(fresh);
        canvas = fresh;
      }
    }
    this.renderer = new CanvasRenderer(canvas);
  }

  #startRun() {
    const { store, player, header } = this;
    const left = remembered.get(header.key);
    const isFirst = !this.colouring;
    player.count = store.frames.length;
    if (player.clock) {
      player.advance(0, performance.now());
    } else if (isFirst && left?.run === store.run) {
      this.#restore(left);
    } else if (isFirst && header.autoplay && !this.calm.matches) {
      player.position = 0;
      player.play();
    } else if (isFirst || player.following) {
      player.position = player.last;
      player.following = true;
    }
    player.position = Math.min(player.position, player.last);
    if (this.marks.length !== store.n) {
      const others = this.marks.length > 0; // of another run: what was selected means nothing here
      this.marks = new Uint8Array(store.n);
      if (others && this.selection.length) this.select([]);
      else this.#mark();
    }
    this.jumpHome = this.camera.atHome = !(isFirst && left?.run === store.run && !left.atHome);
  }

  #restore(left) {
    const { player, camera } = this;
    // What was followed may have gone on meanwhile, and no later frame may come to say so.
    const place = left.following ? player.last : Math.round(left.position);
    player.position = Math.min(place, player.last);
    player.following = left.following;
    player.speed = left.speed;
    this.find("speed").value = String(left.speed);
    Object.assign(camera, left.camera);
    this.pictures = left.pictures;
    this.trails = left.trails;
    this.selection = left.selection;
    // Python has forgotten what was told by a map that left the page.
    if (left.selection.length) this.setStateValue("selection", left.selection);
    this.wantedColour = left.colour;
  }

  #remember() {
    const { camera, player, store } = this;
    if (!store.run || this.player.clock) return;
    const { cx, cy, scale, homeScale } = camera;
    remembered.set(this.header.key, {
      run: store.run,
      position: player.position,
      following: player.following,
      speed: player.speed,
      camera: { cx, cy, scale, homeScale },
      atHome: camera.atHome,
      pictures: this.pictures,
      trails: this.trails,
      selection: this.selection,
      colour: this.colouring?.name,
    });
  }

  #offerColours(wanted) {
    const { store, header } = this;
    const offered = Object.keys(COLOURINGS).filter((name) => COLOURINGS[name].needs(store));
    const menu = this.find("colour");
    const options = offered.map((name) => new Option(COLOURINGS[name].title, name));
    menu.replaceChildren(...options);
    menu.disabled = !offered.length;
    const asked = this.wantedColour ?? wanted;
    const fallback = offered.includes("cluster") ? "cluster" : (offered[0] ?? "label");
    const name = offered.includes(asked) ? asked : fallback;
    this.wantedColour = undefined;
    menu.value = name;
    if (this.colouring?.name !== name) this.isolate = -1;
    this.colouring = new Colouring(name, store, header);
    this.byCluster = new Colouring("cluster", store, header);
  }

  colourBy(name) {
    this.isolate = -1;
    this.colouring = new Colouring(name, this.store, this.header);
    this.change();
  }

  /** Takes over how a group of maps is looked at, as far as that can be shown here. */
  takeLook({ colour, pictures, trails, mode }) {
    const isOffered = COLOURINGS[colour]?.needs(this.store);
    if (isOffered && this.colouring.name !== colour) this.colourBy(colour);
    this.change(() => Object.assign(this, { pictures, trails, mode }));
  }

  takeIsolate(colouring, code) {
    const means = code < this.store.classNames.length || colouring === "right";
    if (this.colouring.name === colouring && means) this.change(() => (this.isolate = code));
  }

  /** Shows as selected what is selected on another map. */
  showSelection(points) {
    this.selection = points;
    this.#mark();
    this.change();
  }

  /** Lets some points stand out, or all with null. */
  showFocus(points) {
    this.focus = points;
    this.#mark();
    this.change();
  }

  moveCamera(action) {
    this.change(action);
    this.member?.tellView();
  }

  resize() {
    const stage = this.find("stage");
    const { clientWidth: width, clientHeight: height } = stage;
    if (!this.header || !width || !height) return;
    this.#tellWidth();
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    for (const canvas of stage.querySelectorAll(".lm-points, .lm-over")) {
      const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
      if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
    }
    this.ratio = ratio;
    this.theme.scale = typeScale();
    Object.assign(this.camera, { width, height });
    this.#refit();
    const { clientWidth } = this.find("track");
    this.scrubber.draw(this.store, clientWidth, this.header.curve !== false, this.theme.scale);
    this.draw();
    this.change();
  }

  /** For the height, which goes by the width in a window that stands upright. */
  #tellWidth() {
    this.root.style.setProperty("--wide", `${this.root.clientWidth}px`);
  }

  #refit() {
    const { camera, margins } = this;
    const { scale } = this.theme;
    const beside = camera.width > 700 ? 200 : camera.width > 340 ? 100 : 20;
    const below = this.narrow.matches;
    const legend = scale * (below ? 24 : beside);
    // The title and the caption stand beside the map where there is room, else above and below.
    const isWide = (camera.width - legend - camera.height) / 2 > 210 * scale;
    // The legend's height has grown with its type already.
    const room = below ? 52 * scale + this.find("legend").clientHeight : 40 * scale;
    const [top, bottom] = isWide && !below ? [20, 20] : [100 * scale, room];
    if (this.header.preview) Object.assign(margins, { left: 14, right: 14, top: 34, bottom: 14 });
    else Object.assign(margins, { left: 24, right: legend, top, bottom });
    this.home = camera.homeFor(this.store.bounds(), margins);
    camera.homeScale = this.home.scale;
    if (camera.atHome && (this.jumpHome || this.calm.matches)) camera.approach(this.home, 1);
    this.jumpHome = false;
  }

  moment() {
    return momentAt(this.store.frames, this.player.shown);
  }

  /** Whether a point stands out under the legend's choice. */
  counts() {
    if (this.isolate < 0) return () => true;
    const codes = this.colouring.codesOf(this.moment().nearest);
    return (i) => codes[i] === this.isolate;
  }

  pointAt(px, py, least = MOUSE) {
    const { store, camera } = this;
    if (!store.frames.length) return -1;
    const reach = Math.max(least, this.pointSize() / 2 + 2);
    return nearestPoint(this.moment(), camera, store.n, px, py, reach, this.counts());
  }

  /** @param {number[]|null} place  in CSS pixels  @param {number} touched  -1 for none */
  #pointTo(place, touched = -1) {
    this.change(() => {
      this.pointer = place;
      this.touched = touched;
    });
  }

  /** The point whose card is shown, which stands where `pointer` does; -1 for none. */
  #pointedAt(moment) {
    const i = this.touched;
    if (i >= 0 && (i >= this.store.n || !this.counts()(i))) {
      this.touched = -1;
      this.pointer = null;
    } else if (i >= 0) {
      this.pointer = this.camera.toScreen(...moment.place(i));
      return i;
    }
    return this.pointer ? this.pointAt(...this.pointer) : -1;
  }

  pointSize() {
    const { store, camera } = this;
    const zoom = Math.max(0.6, camera.zoom);
    const crowd = 2500 / Math.max(1, store.n);
    if (this.showsPictures()) {
      const picture = Math.min(24, Math.max(10, 17 * crowd ** 0.3));
      return Math.min(72, picture * zoom ** 0.55);
    }
    const small = this.header.preview ? Math.min(0.8, Math.max(0.55, camera.height / 560)) : 1;
    const dot = small * Math.min(9, Math.max(2.4, 7 * crowd ** 0.28));
    return dot * Math.min(zoom ** 0.35, 3);
  }

  showsPictures() {
    const { pictures, n } = this.store;
    return this.pictures && pictures !== null && this.renderer.canShow(pictures, n);
  }

  /** Runs an action and sees to it that the picture follows. */
  change(action) {
    action?.();
    if (!this.request) this.request = requestAnimationFrame((now) => this.#tick(now));
  }

  #tick(now) {
    this.request = 0;
    const passed = this.lastTick ? Math.min(0.1, (now - this.lastTick) / 1000) : 1 / 60;
    const wasMoving = this.player.isMoving;
    this.player.advance(passed, now);
    const { camera } = this;
    const arrived = !camera.atHome || !this.home || camera.approach(this.home, 0.16);
    if (this.header) this.draw();
    const goesOn = this.player.isMoving || !arrived;
    this.lastTick = goesOn ? now : 0;
    if (goesOn) this.change();
    else if (this.player.clock) return;
    else if (wasMoving || this.toldFrame !== this.frameToTell()) this.#tellFrame();
  }

  draw() {
    const { store, camera, colouring, player, renderer } = this;
    const isEmpty = !store.frames.length;
    this.find("empty").hidden = !isEmpty;
    if (isEmpty || !renderer || !this.ratio) return;
    const moment = this.moment();
    const size = this.pointSize();
    const chosen = this.selection.length > 0;
    const [isolate, selecting] = [this.isolate, chosen || this.focus !== null];
    renderer.draw({
      moment, camera, colouring, size, isolate, selecting,
      pictures: this.showsPictures(), background: this.theme.pageRgb,
    }, this.marks, store.pictures);
    this.hovered = this.#pointedAt(moment);
    this.member?.tellPointed(this.hovered);
    const ofHovered = [this.hovered, this.echoed].filter((i) => i >= 0);
    drawOverlay(this.find("over").getContext("2d"), {
      store, moment, camera, colouring, size, isolate,
      byCluster: this.byCluster, hovered: this.hovered, position: player.shown,
      echoed: this.echoed,
      trailed: !this.trails ? [] : chosen ? this.selection : ofHovered,
      outline: this.outline, home: this.home, margins: this.margins, ...this.theme,
    }, this.ratio);
    this.draws++;
    this.#showWords(moment);
    this.#report(moment);
  }

  #showWords(moment) {
    const { store, player, header } = this;
    const frame = moment.nearest;
    write(this.find("epoch"), frame.title);
    const acc = frame.accuracy === null ? "" : `ACC ${percent(frame.accuracy)}`;
    write(this.find("acc"), acc);
    write(this.find("recall"), frame.recall === null ? "" : `10-NN recall ${percent(frame.recall, 0)}`);
    const count = this.selection.length;
    write(this.find("foot"), [
      `${grouped(store.n)} of ${grouped(store.total)} shown`,
      store.caption,
      count ? `${grouped(count)} selected` : "",
      this.trails && !count ? "select points to see their trails" : "",
    ].filter(Boolean).join(" · "));
    const title = COLOURINGS[this.colouring.name].title;
    const note = store.labels ? "" : "No labels: no colours by label, none by right or wrong.";
    this.legend.show(this.colouring, frame, this.isolate, title, note);
    this.scrubber.show(player.shown, [frame.title, acc].filter(Boolean).join(", "));
    write(this.button("pause"), previewClock.playing ? "❚❚ Pause" : "▶ Play");
    write(this.find("play"), player.playing ? "❚❚ Pause" : "▶ Play");
    this.button("play").disabled = this.store.frames.length < 2;
    this.button("news").hidden = !(header.live && !player.following && !player.playing
      && player.nearest < player.last);
    this.button("clear").hidden = !count;
    this.button("pictures").hidden = !store.pictures;
    for (const [act, on] of [["pictures", this.pictures], ["trails", this.trails],
      ["box", this.mode === "box"], ["lasso", this.mode === "lasso"]]) {
      this.button(act).setAttribute("aria-pressed", String(on));
    }
    this.find("over").classList.toggle("lm-drawing", this.mode !== "pan");
    if (this.hovered < 0) this.card.hide();
    else {
      this.card.show(store, frame, this.hovered, this.byCluster, ...this.pointer, this.camera,
        this.touched >= 0);
    }
  }

  /** Says on the element what is drawn, for tests and for people who look. */
  #report(moment) {
    const { store, player, camera } = this;
    const probe = store.n ? camera.toScreen(...moment.place(0)) : [0, 0];
    // A map of one frame has no time to travel through, unless more are to come.
    this.root.classList.toggle("lm-still", store.frames.length === 1 && !this.header.live);
    Object.assign(this.root.dataset, {
      renderer: this.renderer.name,
      frame: player.nearest,
      position: player.shown.toFixed(3),
      frames: store.frames.length,
      scale: camera.scale.toPrecision(6),
      probe: probe.map((v) => v.toFixed(1)).join(","),
      selected: this.selection.length,
      hovered: this.hovered,
      echoed: this.echoed,
      standing: (this.selection.length ? this.selection : this.focus)?.length ?? store.n,
      isolate: this.isolate,
      colour: this.colouring.name,
      draws: this.draws,
    });
  }

  goHome() {
    this.change(() => (this.camera.atHome = true));
    this.member?.tellHome();
  }

  setMode(mode) {
    this.change(() => (this.mode = this.mode === mode ? "pan" : mode));
  }

  togglePlay() {
    const { player } = this;
    this.change(() => (player.playing ? player.pause() : player.play()));
  }

  toggleIsolate(code) {
    if (code < 0) return;
    this.change(() => (this.isolate = this.isolate === code ? -1 : code));
    this.member?.tellIsolated(this.colouring.name, this.isolate);
  }

  select(points) {
    this.selection = points;
    if (this.touched >= 0 && !points.includes(this.touched)) this.#pointTo(null);
    this.#mark();
    this.change();
    if (this.member) this.member.tellSelection(points);
    else this.setStateValue("selection", points);
  }

  #mark() {
    this.marks = new Uint8Array(this.store.n);
    const standing = this.selection.length ? this.selection : this.focus ?? [];
    for (const i of standing) this.marks[i] = 1;
  }

  /** The frame that Python hears of: null while the newest one is followed. */
  frameToTell() {
    return this.player.following ? null : this.player.nearest;
  }

  /** A frame is told once the map has rested on it for a moment. */
  #tellFrame() {
    if (this.telling) return;
    this.telling = setTimeout(() => {
      this.telling = 0;
      const frame = this.frameToTell();
      if (frame === this.toldFrame || this.player.isMoving || this.scrubber.dragging) return;
      this.toldFrame = frame;
      this.setStateValue("frame", frame);
    }, 300);
  }

  #letGo() {
    if (this.mode !== "pan") this.setMode(this.mode);
    else if (this.selection.length) this.select([]);
    else if (this.isolate >= 0) this.toggleIsolate(this.isolate);
  }

  destroy() {
    this.#remember();
    this.member?.leave();
    cancelAnimationFrame(this.request);
    this.request = -1;
    clearTimeout(this.telling);
    previewClock.listeners.delete(this.onClock);
    this.observer.disconnect();
    this.calm.removeEventListener("change", this.onCalm);
    this.renderer?.destroy();
  }
}

/** Maps by the node that Streamlit gave them. */
const maps = new WeakMap();

/** Streamlit calls this whenever the data or the theme change. */
export default function showLatentMap({ parentElement, data, setStateValue }) {
  const root = parentElement.querySelector(".lm");
  let map = maps.get(parentElement);
  if (map?.root !== root) {
    map?.destroy();
    map = new LatentMap(root);
    maps.set(parentElement, map);
  }
  map.update(data, setStateValue);
  const shown = map;
  // This also runs when a newer call has overtaken this one: only a node that has left the
  // page is at its end.
  return () => setTimeout(() => {
    if (root.isConnected || maps.get(parentElement) !== shown) return;
    shown.destroy();
    maps.delete(parentElement);
  }, 0);
}
