/** The place in time: playing, stepping, dragging, and following a run that is still going. */

const FRAMES_A_SECOND = 2.5;
const LONGEST_SHOW = 25;
const GLIDE = 0.45;

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
  }

  get last() {
    return Math.max(0, this.count - 1);
  }

  get nearest() {
    return Math.min(Math.round(this.position), this.last);
  }

  get isMoving() {
    return this.playing || this.glide !== null;
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

  /** Lets time pass. @returns {boolean} whether it has just come to rest */
  advance(seconds) {
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
