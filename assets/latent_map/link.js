/**
 * Maps of a page that are looked at side by side. They and what conducts them (assets/map_group)
 * talk through events of the window, and never through the server.
 */

const GROUP_EVENT = "vade-map-group";

/** A place among those that hear of one another. */
export class GroupLine {
  /**
   * @param {string} name  of the group
   * @param {(kind: string, detail: any) => void} hear
   */
  constructor(name, hear) {
    this.name = name;
    this.onEvent = ({ detail }) => {
      if (detail.group === this.name && detail.from !== this) hear(detail.kind, detail);
    };
    window.addEventListener(GROUP_EVENT, this.onEvent);
  }

  tell(kind, detail = {}) {
    const message = { ...detail, group: this.name, from: this, kind };
    window.dispatchEvent(new CustomEvent(GROUP_EVENT, { detail: message }));
  }

  close() {
    window.removeEventListener(GROUP_EVENT, this.onEvent);
  }
}

/**
 * Time as the group has it: a share of the whole, the same for all. While it stands still a map
 * shows a whole frame: the nearest of its own.
 */
export class GroupClock {
  constructor() {
    this.whole = 1;
    this.moving = false;
    this.settled = true;
    this.position = null;
  }

  set(share, moving) {
    this.whole = share;
    this.moving = moving;
    this.settled = false;
  }

  get playing() {
    return this.moving || !this.settled;
  }

  /** The frame of a share of the whole. */
  static frameAt(share, last) {
    return Math.min(Math.max(Math.round(share * last), 0), last);
  }

  place(now, last) {
    const target = this.moving ? this.whole * last : GroupClock.frameAt(this.whole, last);
    const from = this.position ?? target;
    const isNear = this.moving || Math.abs(target - from) < 0.02 || Math.abs(target - from) > 1;
    this.position = isNear ? target : from + (target - from) * 0.35;
    this.settled = this.position === target;
    return this.position;
  }
}

/** A map as one of a group. */
export class Member {
  /** @param {any} map  a LatentMap */
  constructor(map) {
    this.map = map;
    this.clock = new GroupClock();
    this.linksView = false;
    this.pointed = null;
    this.takeHeader(map.header);
    this.line = new GroupLine(map.header.group.name, (kind, detail) => this.#hear(kind, detail));
  }

  /** Takes note of which points these are: `group.rows` names each, null where none is shared. */
  takeHeader(header) {
    const { rows } = header.group;
    if (this.rows === rows) return;
    this.rows = rows;
    this.indices = new Map((rows ?? []).map((row, i) => [row, i]));
  }

  get store() {
    return this.map.store;
  }

  /** Which run it is: `key`, `sign`, `title`, `colour`, `place`. */
  get who() {
    return this.map.header.group;
  }

  get look() {
    return this.map.header;
  }

  /** The frame that is shown at a share of the whole; null before there are any. */
  frameAt(share) {
    const { frames } = this.store;
    return frames[GroupClock.frameAt(share, frames.length - 1)] ?? null;
  }

  #hear(kind, detail) {
    const { map } = this;
    if (kind === "who") this.join();
    else if (kind === "time") map.change(() => this.clock.set(detail.share, detail.moving));
    else if (kind === "look") map.takeLook(detail.look);
    else if (kind === "linking") this.linksView = detail.view;
    else if (kind === "view" && this.linksView) this.#takeView(detail);
    else if (kind === "home" && this.linksView) map.change(() => (map.camera.atHome = true));
    else if (kind === "select") map.showSelection(this.#own(detail.rows));
    else if (kind === "focus") map.showFocus(detail.rows && this.#own(detail.rows));
    else if (kind === "point") this.#point(detail.row);
    else if (kind === "isolate") map.takeIsolate(detail.colouring, detail.code);
  }

  #own(rows) {
    return rows.map((row) => this.indices.get(row)).filter((i) => i !== undefined);
  }

  #point(row) {
    const i = row === null ? -1 : this.indices.get(row) ?? -1;
    if (i !== this.map.echoed) this.map.change(() => (this.map.echoed = i));
  }

  join() {
    this.line.tell("join", { member: this });
  }

  tellPointed(i) {
    const row = i < 0 ? null : this.rows?.[i] ?? null;
    if (row === this.pointed) return;
    this.pointed = row;
    this.map.echoed = -1;
    this.line.tell("point", { row });
  }

  tellSelection(points) {
    if (this.rows) this.line.tell("select", { rows: points.map((i) => this.rows[i]) });
  }

  tellIsolated(colouring, code) {
    this.line.tell("isolate", { colouring, code });
  }

  /** What a hand does here that is the whole group's: play, step, first, last. */
  command(act, amount = 0) {
    this.line.tell("command", { act, amount });
  }

  /** Where the camera stands, measured on this map's own extent. */
  tellView() {
    const { camera, home } = this.map;
    if (!this.linksView || !home) return;
    const unit = home.scale / Math.min(camera.width, camera.height);
    this.line.tell("view", {
      dx: (camera.cx - home.cx) * unit,
      dy: (camera.cy - home.cy) * unit,
      zoom: camera.scale / home.scale,
    });
  }

  tellHome() {
    if (this.linksView) this.line.tell("home");
  }

  #takeView({ dx, dy, zoom }) {
    const { map } = this;
    const { camera, home } = map;
    if (!home) return;
    const unit = Math.min(camera.width, camera.height) / home.scale;
    map.change(() => Object.assign(camera, {
      cx: home.cx + dx * unit, cy: home.cy + dy * unit, scale: home.scale * zoom, atHome: false,
    }));
  }

  leave() {
    this.tellPointed(-1);
    this.line.tell("leave", { member: this });
    this.line.close();
  }
}
