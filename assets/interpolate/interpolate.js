/** The page Interpolate: views that share one map, one picker and one choice of samples. */
import { openMessage, textOfNumbers } from "./message.js";
import { LocalEngine, ServerEngine } from "./engine.js";
import { World } from "./world.js";
import { build, Choices, tileOf } from "./parts.js";
import { PathView } from "./path_view.js";
import { CornersView, PlaneView, SumView } from "./grid_views.js";
import { SlidersView } from "./sliders_view.js";
import { DrawView } from "./draw_view.js";
import { SmallMap } from "./small_map.js";
import { Picker } from "./picker.js";

const VIEWS = {
  path: ["Path", PathView],
  corners: ["Four corners", CornersView],
  sum: ["Arithmetic", SumView],
  sliders: ["Latent sliders", SlidersView],
  plane: ["Plane", PlaneView],
  draw: ["Draw", DrawView],
};
/** So long, in milliseconds, a choice has to rest before the server hears of it. */
const REST_OF_CHOICE = 400;

class Interpolation {
  constructor(root) {
    this.root = root;
    this.engine = null;
    this.views = new Map();
    this.active = 0;
    /** What a person has drawn stays when the points or the networks change. */
    this.strokes = [];
  }

  /** Takes what the server sends; the same message again changes nothing. */
  update(data, setStateValue) {
    this.setStateValue = setStateValue;
    const message = openMessage(data);
    if (message.header.stamp === this.stamp) return;
    this.stamp = message.header.stamp;
    const { header } = message;
    if (header.world !== this.world?.header.world) this.#begin(message);
    else this.world.header = header;
    // The same start with newer points: what was chosen since stays chosen.
    if (header.start !== this.start) {
      this.start = header.start;
      this.choice = structuredClone(header.choice);
      this.told = JSON.stringify(this.choice);
      this.active = 0;
    }
    this.refresh();
  }

  #begin(message) {
    this.#end();
    const world = new World(message);
    this.world = world;
    const { header } = world;
    const [height, width] = tileOf(world);
    this.root.classList.toggle("ip-profiles", !world.shape);
    this.root.style.setProperty("--ratio", `${width} / ${height}`);
    this.engine = header.digest ? null : new ServerEngine((ask) => this.setStateValue("ask", ask));
    const offered = { plane: world.dim === 2, draw: header.canDraw };
    const names = Object.keys(VIEWS).filter((name) => offered[name] ?? true);
    this.tabs = new Choices(
      Object.fromEntries(names.map((name) => [name, VIEWS[name][0]])),
      (name) => this.change(() => {
        this.choice.view = name;
        this.active = 0;
      }), "View",
    );
    this.tabs.root.classList.add("ip-tabs");
    this.map = new SmallMap(this);
    this.picker = new Picker(this);
    this.stage = build("div", { class: "ip-stage" });
    const save = build("button", { type: "button", "data-act": "save", title: "What is shown, as a picture", on: {
      click: () => this.view.save(header.name),
    } }, "PNG");
    this.root.replaceChildren(
      build("div", { class: "ip-head" }, this.tabs.root, build("span", { class: "ip-gap" }), save),
      build("div", { class: "ip-body" }, this.stage,
        build("div", { class: "ip-side" }, this.map.root, this.picker.root)),
    );
    this.root.dataset.ready = header.digest ? "" : "server";
    if (header.digest) {
      whenNetworks(header.digest).then((networks) => {
        if (this.world !== world) return;
        this.engine = new LocalEngine(networks);
        this.root.dataset.ready = networks.kind;
        this.refresh();
      });
    }
  }

  get view() {
    const name = this.choice.view;
    if (!this.views.has(name)) this.views.set(name, new VIEWS[name][1](this));
    return this.views.get(name);
  }

  /** Draws the open view and everything that goes with it. */
  refresh() {
    const { view } = this;
    this.tabs.press(this.choice.view);
    for (const [name, other] of this.views) if (name !== this.choice.view) other.pause?.();
    if (this.stage.firstChild !== view.root) this.stage.replaceChildren(view.root);
    this.picker.root.hidden = view.slots.length === 0;
    this.root.dataset.view = this.choice.view;
    this.map.resize();
    this.#press();
    this.picker.refresh();
    view.refresh();
  }

  /** What the place holds that is chosen for; null where there is none. */
  get chosen() {
    return this.view.slots[this.active]?.get() ?? null;
  }

  #press() {
    this.view.slots.forEach(({ slot }, i) => slot.root.setAttribute("aria-pressed", i === this.active));
    const slot = this.view.slots[this.active]?.slot;
    this.picker.name(slot ? `${slot.label}:` : "");
  }

  /** From now on what is picked goes to this place. */
  activate(index) {
    this.active = index;
    this.#press();
    this.picker.refresh();
  }

  pick(code) {
    const place = this.view.slots[this.active];
    if (place) this.change(() => place.set(code));
  }

  pickLatent(z) {
    this.pick(`z${textOfNumbers(z)}`);
  }

  /** Changes the choice; the server, which keeps the link, hears of it once it rests. */
  change(how) {
    how();
    this.refresh();
    this.#tell();
  }

  /** Takes note of a choice that is on the screen already. */
  note(how) {
    how();
    this.#tell();
  }

  #tell() {
    clearTimeout(this.telling);
    this.telling = setTimeout(() => {
      const told = JSON.stringify(this.choice);
      if (told === this.told) return;
      this.told = told;
      this.setStateValue("choice", { ...this.choice, start: this.world.header.start });
    }, REST_OF_CHOICE);
  }

  #end() {
    for (const view of this.views.values()) view.destroy?.();
    this.views.clear();
    this.map?.destroy();
    this.picker?.destroy();
    this.engine?.stop();
  }

  destroy() {
    clearTimeout(this.telling);
    this.#end();
  }
}

/** Pages by the node that Streamlit gave them. */
const shownPages = new WeakMap();

/** Streamlit calls this whenever the data or the theme change. */
export default function showInterpolation({ parentElement, data, setStateValue }) {
  const root = parentElement.querySelector(".ip");
  let page = shownPages.get(parentElement);
  if (page?.root !== root) {
    page?.destroy();
    page = new Interpolation(root);
    shownPages.set(parentElement, page);
  }
  page.update(data, setStateValue);
  const shown = page;
  return () => setTimeout(() => {
    if (root.isConnected || shownPages.get(parentElement) !== shown) return;
    shown.destroy();
    shownPages.delete(parentElement);
  }, 0);
}
