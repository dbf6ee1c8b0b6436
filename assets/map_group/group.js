/** What several maps beside one another share: time, tools, selection, and where they disagree. */
import { COLOURINGS } from "./colouring.js";
import { GroupLine } from "./link.js";
import { grouped, write } from "./panels.js";
import { Player } from "./player.js";
import { download, fileName } from "./snapshot.js";
import { handleKey } from "./keys.js";
import { readTheme } from "./theme.js";
import { commonestPairs, compareRuns, nameOf } from "./disagree.js";
import { Gallery, MOST_PICTURES, showKey, tableOf } from "./gallery.js";
import { sideBySide } from "./side_by_side.js";
import { GroupTrack } from "./track.js";

/** Seconds that a whole run takes to play: within ten, everybody has seen it. */
const SHOW = 8;

/** Milliseconds from one gallery to the next while time moves. */
const GALLERY_REST = 400;

/** Moments at which it is looked how many pictures the gallery will hold. */
const LOOKS_AHEAD = 24;

class MapGroup {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
    this.find = (name) => root.querySelector(`.mg-${name}`);
    this.button = (act) => root.querySelector(`[data-act="${act}"]`);
    /** @type {any[]} maps of this group, in the order of the page */
    this.members = [];
    this.player = new Player();
    this.look = { colour: null, pictures: false, trails: false, mode: "pan" };
    this.linked = true;
    this.mode = "all";
    this.selected = [];
    this.rows = [];
    this.verdict = null;
    this.request = 0;
    this.gallery = new Gallery(this.find("gallery"));
    this.galleryAt = -Infinity;
    this.track = new GroupTrack(this.find("track"), {
      drag: (share) => this.change(() => this.player.drag(share * this.player.last)),
      release: () => this.change(() => this.player.goTo(this.player.position, 0.15)),
    });
    this.observer = new ResizeObserver(() => this.#drawTrack());
    this.observer.observe(this.find("track"));
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    this.player.stepwise = this.calm.matches;
    this.#listen();
  }

  #listen() {
    const { player } = this;
    const acts = {
      play: () => this.change(() => (player.playing ? player.pause() : player.play())),
      back: () => this.change(() => player.step(-1)),
      on: () => this.change(() => player.step(1)),
      pictures: () => this.#setLook({ pictures: !this.look.pictures }),
      trails: () => this.#setLook({ trails: !this.look.trails }),
      box: () => this.#setLook({ mode: this.look.mode === "box" ? "pan" : "box" }),
      lasso: () => this.#setLook({ mode: this.look.mode === "lasso" ? "pan" : "lasso" }),
      linked: () => this.#link(!this.linked),
      clear: () => this.#select([], true),
      whole: () => this.#goHome(),
      save: () => this.#savePictures(),
      csv: () => this.#saveTable(),
    };
    this.acts = {
      ...acts,
      step: (frames) => this.change(() => player.step(frames)),
      first: () => this.change(() => player.goTo(0)),
      last: () => this.change(() => player.goTo(player.last)),
    };
    for (const [act, run] of Object.entries(acts)) this.button(act).addEventListener("click", run);
    for (const button of this.find("modes").children) {
      button.addEventListener("click", () => this.#setMode(button.dataset.mode));
    }
    this.find("speed").addEventListener("change", (event) => {
      player.speed = Number(event.target.value);
    });
    this.find("colour").addEventListener("change", (event) => {
      this.#setLook({ colour: event.target.value });
    });
    this.root.addEventListener("keydown", (event) => {
      const { step, first, last, play } = this.acts;
      const letGo = () => this.#select([], true);
      handleKey(event, { play, step, first, last, letGo, digit: () => {} });
    });
  }

  /** Takes a message from the server; pages/shared/map_group.py says what is in it. */
  update(data) {
    this.data = data;
    readTheme(this.root);
    write(this.find("note"), data.note);
    const whose = data.maps.map((map) => map.key);
    if (this.line?.name !== data.group) {
      this.line?.close();
      this.line = new GroupLine(data.group, (kind, detail) => this.#hear(kind, detail));
    }
    this.expected = whose;
    this.members = this.members.filter((member) => whose.includes(member.who.key));
    if (this.asked !== whose.join()) {
      this.asked = whose.join();
      this.started = false;
    }
    this.look.colour ??= data.colour;
    this.line.tell("who");
    this.#settle();
  }

  #hear(kind, detail) {
    if (kind === "join") this.#take(detail.member);
    else if (kind === "leave") this.#drop(detail.member);
    else if (kind === "select") this.#select(detail.rows, false);
    else if (kind === "command") this.acts[detail.act]?.(detail.amount);
  }

  #take(member) {
    const { key } = member.who;
    if (!this.expected.includes(key)) return;
    this.members = this.members.filter((other) => other.who.key !== key).concat(member);
    const place = (one) => this.expected.indexOf(one.who.key);
    this.members.sort((a, b) => place(a) - place(b));
    this.#settle();
  }

  #drop(member) {
    this.members = this.members.filter((other) => other !== member);
    if (this.members.length === this.expected.length) return;
    // What was said of all of them waits until they are there again.
    this.complete = false;
    this.rows = [];
    this.verdict = null;
  }

  /** Brings everything into line after a map or its frames have come. */
  #settle() {
    const { player, members } = this;
    const ready = members.filter((member) => member.store.frames.length);
    this.complete = ready.length === this.expected.length;
    const counts = ready.map((member) => member.store.frames.length);
    const count = Math.max(0, ...counts);
    if (count !== player.count && this.started) player.setCount(count);
    player.count = count;
    player.pace = Math.min(Math.max((count - 1) / SHOW, 0.5), 6);
    this.rows = this.complete ? this.#sharedRows() : [];
    this.verdict = null;
    this.galleryOf = null;
    this.gallery.reserved = this.#mostPictures();
    showKey(this.find("key"), this.rows.length ? members : []);
    this.#offerColours();
    this.#drawTrack();
    this.line.tell("look", { look: this.look });
    this.line.tell("linking", { view: this.linked && this.data.shared });
    if (this.selected.length) this.line.tell("select", { rows: this.selected });
    if (this.complete && !this.started) {
      this.started = true;
      if (this.calm.matches || count < 2) player.goTo(player.last);
      else {
        player.position = 0;
        player.play();
      }
    }
    this.change();
  }

  /** How many pictures the gallery holds at most while time plays: it keeps their place. */
  #mostPictures() {
    let most = 0;
    for (let i = LOOKS_AHEAD; this.rows.length && i >= 0 && most < MOST_PICTURES; i--) {
      const { otherwise } = compareRuns(this.members, this.rows, i / LOOKS_AHEAD);
      most = Math.max(most, Math.min(otherwise.length, MOST_PICTURES));
    }
    return most;
  }

  #sharedRows() {
    const [first, ...others] = this.members;
    if (!others.length || !first.rows) return [];
    return first.rows.filter((row) => others.every((other) => other.indices.has(row)));
  }

  #offerColours() {
    const stores = this.members.map((member) => member.store);
    const offered = Object.keys(COLOURINGS)
      .filter((name) => stores.length && stores.every((store) => COLOURINGS[name].needs(store)));
    const menu = this.find("colour");
    const options = offered.map((name) => new Option(COLOURINGS[name].title, name));
    menu.replaceChildren(...options);
    menu.disabled = !offered.length;
    if (offered.length && !offered.includes(this.look.colour)) {
      this.look.colour = offered.includes("cluster") ? "cluster" : offered[0];
    }
    menu.value = this.look.colour;
    this.button("pictures").hidden = !stores.some((store) => store.pictures);
  }

  #drawTrack() {
    this.track.draw(this.members);
    this.change();
  }

  #setLook(changes) {
    Object.assign(this.look, changes);
    this.line.tell("look", { look: this.look });
    this.change();
  }

  #link(linked) {
    this.linked = linked;
    this.line.tell("linking", { view: linked && this.data.shared });
    if (linked) this.#goHome();
    this.change();
  }

  #goHome() {
    for (const { map } of this.members) map.change(() => (map.camera.atHome = true));
  }

  #select(rows, tell) {
    this.selected = rows;
    if (tell) this.line.tell("select", { rows });
    this.galleryOf = null;
    this.change();
  }

  #setMode(mode) {
    this.mode = mode;
    this.galleryOf = null;
    this.focusOf = null;
    this.change();
  }

  /** Runs an action and sees to it that the maps and the words follow. */
  change(action) {
    action?.();
    if (!this.request) this.request = requestAnimationFrame((now) => this.#tick(now));
  }

  #tick(now) {
    this.request = 0;
    // A slow machine draws fewer pictures of a show that is as long.
    const passed = this.lastTick ? Math.min(0.5, (now - this.lastTick) / 1000) : 1 / 60;
    const { player } = this;
    player.advance(passed, now);
    const moving = player.isMoving || this.track.dragging;
    if (this.line) this.#show(moving);
    this.lastTick = player.isMoving ? now : 0;
    if (player.isMoving) this.change();
  }

  get share() {
    return this.player.last ? this.player.shown / this.player.last : 1;
  }

  /** The runs' frames at this moment, as one word. */
  #moment() {
    const { share, members } = this;
    return members.map((member) => {
      const last = member.store.frames.length - 1;
      return Math.min(Math.max(Math.round(share * last), 0), last);
    }).join();
  }

  #show(moving) {
    const { share, player, members } = this;
    this.line.tell("time", { share, moving });
    const moment = this.#moment();
    if (this.rows.length && (!this.verdict || this.verdictOf !== moment)) {
      this.verdict = compareRuns(members, this.rows, share);
      this.verdictOf = moment;
      this.focusOf = null;
    } else if (!this.rows.length) this.verdict = null;
    this.#showFocus();
    this.#showWords();
    this.#showGallery(moment, moving);
    const said = members.map((m) => `${m.who.title} ${m.frameAt(share)?.title ?? ""}`).join("; ");
    this.track.show(share, said);
    write(this.find("play"), player.playing ? "❚❚ Pause" : "▶ Play");
    write(this.find("state"), this.#stateWords());
    this.button("play").disabled = player.count < 2;
    this.button("clear").hidden = !this.selected.length;
    this.button("linked").hidden = !this.data.shared;
    const pressed = { pictures: this.look.pictures, trails: this.look.trails,
      linked: this.linked, box: this.look.mode === "box", lasso: this.look.mode === "lasso" };
    for (const [act, on] of Object.entries(pressed)) {
      this.button(act).setAttribute("aria-pressed", String(on));
    }
    this.#report(moment, moving);
  }

  /** The places within the verdict's rows that a choice of points stands for. */
  #places(mode) {
    if (!this.verdict) return [];
    return (mode === "onlyHere" ? this.verdict.onlyHere : this.verdict.otherwise) ?? [];
  }

  #showFocus() {
    if (this.focusOf === this.mode) return;
    this.focusOf = this.mode;
    const isAll = this.mode === "all" || !this.verdict;
    const rows = isAll ? null : this.#places(this.mode).map((i) => this.verdict.rows[i]);
    this.line.tell("focus", { rows });
  }

  #showWords() {
    const { verdict, members, data } = this;
    this.root.querySelector(".mg-disagree").hidden = !data.shared;
    for (const button of this.find("modes").children) {
      const { mode } = button.dataset;
      button.setAttribute("aria-checked", String(mode === this.mode));
      button.hidden = mode === "onlyHere" && verdict !== null && verdict.onlyHere === null;
    }
    this.button("csv").disabled = !verdict || !this.#listed().length;
    const place = this.find("count");
    if (!verdict) {
      write(place, "");
      return;
    }
    if (verdict.silent.length) {
      const who = verdict.silent.map((m) => members[m].who.title).join(" and ");
      const verb = verdict.silent.length > 1 ? "have" : "has";
      write(place, `${who} ${verb} no clusters yet at this moment.`);
      return;
    }
    const { classNames } = members[0].store;
    const isRight = this.mode === "onlyHere";
    const places = this.#places(this.mode);
    const verb = places.length === 1 ? "is" : "are";
    const count = `${grouped(places.length)} of ${grouped(verdict.judged)} ${data.noun}`;
    const pairs = verdict.labels ? commonestPairs(verdict, places, 2) : [];
    const often = pairs.map(([a, b, many]) => `${members[0].who.sign} says ${nameOf(a, classNames)} `
      + `and ${members[1].who.sign} says ${nameOf(b, classNames)} (${grouped(many)})`);
    const what = isRight ? `${verb} right in some runs and wrong in others`
      : `${verb} sorted otherwise`;
    const most = often.length ? ` Most often ${often.join(", ")}.` : "";
    const words = `${count} ${what}.${most} ${this.#galleryWords()}`;
    if (place.textContent === words) return;
    const strong = Object.assign(document.createElement("strong"), { textContent: count });
    place.replaceChildren(strong, words.slice(count.length));
  }

  /** What the gallery holds. */
  #galleryWords() {
    const { selected, data } = this;
    const listed = this.#listed().length;
    if (!listed) return "";
    const part = listed > MOST_PICTURES ? `${MOST_PICTURES}, evenly chosen, of ` : "";
    return selected.length ? `Below: ${part}the ${grouped(listed)} selected ${data.noun}.`
      : `Below: ${part ? `${part}these` : "these"}.`;
  }

  /** The places that the gallery shows: the selected points, else those that disagree. */
  #listed() {
    if (!this.verdict) return [];
    if (!this.selected.length) return this.#places(this.mode);
    const chosen = new Set(this.selected);
    return this.verdict.rows.flatMap((row, i) => (chosen.has(row) ? [i] : []));
  }

  /** Whether time plays, and where it is. */
  #stateWords() {
    const { player, share } = this;
    if (player.count < 2) return "";
    const at = `${Math.round(100 * share)} %`;
    if (player.playing) return `Playing · ${at}`;
    return share >= 1 ? "At the end" : `Paused · ${at}`;
  }

  #showGallery(moment, moving) {
    const now = performance.now();
    if (moving && now - this.galleryAt < GALLERY_REST) return;
    const of = this.verdict && `${moment} ${this.mode} ${this.selected.length}`;
    if (of === this.galleryOf) return;
    this.galleryOf = of;
    this.galleryAt = now;
    this.find("gallery").hidden = this.find("key").hidden = !this.data.shared;
    this.gallery.show(this.verdict, this.members, this.#listed());
  }

  #saveTable() {
    const table = tableOf(this.verdict, this.members, this.#listed());
    const blob = new Blob([table], { type: "text/csv" });
    const name = fileName("disagree", ...this.expected).replace(/png$/, "csv");
    const address = URL.createObjectURL(blob);
    Object.assign(document.createElement("a"), { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
  }

  #savePictures() {
    const whole = sideBySide(this.members, readTheme(this.root));
    if (whole) download(whole, fileName("compare", ...this.expected));
  }

  /** Says on the element what is shown, for tests and for people who look. */
  #report(moment, moving) {
    Object.assign(this.root.dataset, {
      members: this.members.map((member) => member.who.key).join(),
      share: this.share.toFixed(4),
      frames: moment,
      moving: String(moving),
      playing: String(this.player.playing),
      mode: this.mode,
      rows: this.rows.length,
      disagree: this.verdict ? this.verdict.otherwise.length : "",
      split: this.verdict?.onlyHere?.length ?? "",
      selected: this.selected.length,
    });
  }

  destroy() {
    cancelAnimationFrame(this.request);
    this.request = -1;
    this.observer.disconnect();
    this.line?.close();
  }
}

/** Conductors by the node that Streamlit gave them. */
const conductors = new WeakMap();

/** Streamlit calls this whenever the data or the theme change. */
export default function showMapGroup({ parentElement, data }) {
  const root = parentElement.querySelector(".mg");
  let group = conductors.get(parentElement);
  if (group?.root !== root) {
    group?.destroy();
    group = new MapGroup(root);
    conductors.set(parentElement, group);
  }
  group.update(data);
  const shown = group;
  // As for the maps: only a node that has left the page is at its end.
  return () => setTimeout(() => {
    if (root.isConnected || conductors.get(parentElement) !== shown) return;
    shown.destroy();
    conductors.delete(parentElement);
  }, 0);
}
