/** What a hand does on a line of time: it drags along it, or touches a place. */

/** So far goes a finger along the line before it is taken to mean the line. */
const SURELY_ALONG = 6;

/**
 * The line's style is `touch-action: pan-y`: a finger that goes up or down moves the page, and the
 * browser says so (`pointercancel`). Until it is known what a finger wants, nothing moves.
 */
export class DragAlong {
  /**
   * @param {HTMLElement} track
   * @param {{drag: (event: PointerEvent) => void, release: () => void}} listener
   */
  constructor(track, listener) {
    this.active = false;
    /** Where a finger came down that has not said yet what it wants. */
    let touched = null;
    const begin = (event) => {
      touched = null;
      track.setPointerCapture(event.pointerId);
      this.active = true;
      listener.drag(event);
    };
    const stop = () => {
      touched = null;
      if (!this.active) return;
      this.active = false;
      listener.release();
    };
    track.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      if (event.pointerType === "touch") touched = event.clientX;
      else begin(event);
    });
    track.addEventListener("pointermove", (event) => {
      if (this.active) listener.drag(event);
      else if (touched !== null && Math.abs(event.clientX - touched) >= SURELY_ALONG) begin(event);
    });
    track.addEventListener("pointerup", (event) => {
      if (touched !== null) begin(event);
      stop();
    });
    track.addEventListener("pointercancel", stop);
  }
}
