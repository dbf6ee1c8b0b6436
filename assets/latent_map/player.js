/**
 * The place in time: playing, stepping, dragging, and following a run that is still going.
 * Previews do none of this: they all follow one clock, over and over.
 */

const FRAMES_A_SECOND = 2.5;
const LONGEST_SHOW = 25;
const GLIDE = 0.45;

/** Seconds that a preview stands on its first frame, moves, and stands on its last. */
const LOOP = { before: 0.5, moving: 11, after: 2.5 };

/** The clock of a page's previews: they begin, end and pause together. */
export class LoopClock {
  constructor() {
    this.playing = false;
    /** Seconds into the loop while it stands still. At first: all runs at their end. */
    this.stopped = LOOP.before + LOOP.moving;
    this.since = 0;
    /** Whether a person has paused it: no preview starts it again then. */
    this.held = false;
    /** @type {Set<() => void>} */
    this.listeners = new Set();
  }

  #seconds(now) {
    if (!this.playing) return this.stopped;
    const whole = LOOP.before + LOOP.moving + LOOP.after;
    return (Math.max(0, now - this.since) / 1000) % whole;
  }

  /** How much of a run has passed, 0 to 1. @param {number} now in milliseconds */
  share(now) {
    return Math.min(Math.max((this.#seconds(now) - LOOP.before) / LOOP.moving, 0), 1);
  }

  /** Where a run of so many frames is. */
  place(now, last) {
    return this.share(now) * last;
  }

  play(now) {
    if (this.playing) return;
    const from = this.share(now) < 1 ? this.stopped : 0;
    this.since = now - 1000 * from;
    this.playing = true;
    this.#tell();
  }

  pause(now) {
    if (!this.playing) return;
    this.stopped = this.#seconds(now);
    this.playing = false;
    this.#tell();
  }

  toggle(now) {
    this.held = this.playing;
    if (this.playing) this.pause(now);
    else this.play(now);
  }

  #tell() {
    for (const listener of this.listeners) listener();
  }
}

export class Player {
  constructor() {
    /** Place in time: 3.25 is a quarter of the way from frame 3 to frame 4. */
    this.position = 0;
    this.count = 0;
    this.speed = 1;
    /** Frames a second at speed 1. */
    this.pace = FRAMES_A_SECOND;
    this.playing = false;
    /** Whether the last frame is shown and later ones shall be. */
    this.following = true;
    this.stepwise = false;
    this.glide = null;
    /** What a preview, or a map of a group, follows. @type {{playing: boolean,
     *   place: (now: number, last: number) => number}|null} */
    this.clock = null;
  }

  get last() {
    return Math.max(0, this.count - 1);
  }

  get nearest() {
    return Math.min(Math.round(this.position), this.last);
  }

  get isMoving() {
    return this.clock ? this.clock.playing : this.playing || this.glide !== null;
  }

  /** The place to draw: between frames only where motion is welcome. */
  get shown() {
    return this.stepwise ? this.nearest : Math.min(this.position, this.last);
  }

  /** Takes note of how many frames there are. */
  setCount(count) {
    this.count = count;
    this.position = Math.min(this.position, this.last);
    if (this.following && !this.playing) this.goTo(this.last, 0.7);
  }

  play() {
    if (this.count < 2) return;
    if (this.nearest >= this.last) this.position = 0;
    this.glide = null;
    this.playing = true;
    this.following = false;
  }

  pause() {
    if (!this.playing) return;
    this.playing = false;
    this.goTo(this.nearest);
  }

  /** Glides to a frame. */
  goTo(frame, seconds = GLIDE) {
    const to = Math.min(Math.max(Math.round(frame), 0), this.last);
    this.playing = false;
    this.following = to === this.last;
    if (this.stepwise || to === this.position) {
      this.position = to;
      this.glide = null;
    } else {
      this.glide = { from: this.position, to, passed: 0, seconds };
    }
  }

  step(frames) {
    const from = this.glide ? this.glide.to : this.nearest;
    this.goTo(from + frames);
  }

  /** Puts the place where a hand drags it. */
  drag(position) {
    this.playing = false;
    this.glide = null;
    this.following = false;
    this.position = Math.min(Math.max(position, 0), this.last);
  }

  /**
   * Lets time pass.
   * @param {number} seconds  since the last call
   * @param {number} now  in milliseconds
   * @returns {boolean} whether it has just come to rest
   */
  advance(seconds, now) {
    if (this.clock) {
      this.position = this.clock.place(now, this.last);
      return false;
    }
    if (this.playing) {
      const rate = Math.max(this.pace, this.count / LONGEST_SHOW) * this.speed;
      this.position += rate * seconds;
      if (this.position < this.last) return false;
      this.position = this.last;
      this.playing = false;
      this.following = true;
      return true;
    }
    if (!this.glide) return false;
    this.glide.passed += seconds;
    const { from, to, passed, seconds: whole } = this.glide;
    const share = Math.min(1, passed / whole);
    this.position = from + (to - from) * share;
    if (share < 1) return false;
    this.position = to;
    this.glide = null;
    return true;
  }
}
