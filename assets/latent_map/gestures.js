/** What hands do on the picture: drag, wheel, pinch, draw a shape, point at something. */

const SHORTEST_DRAG = 4;

/**
 * @typedef {object} GestureListener
 * @property {() => "pan"|"box"|"lasso"} mode
 * @property {(dx: number, dy: number) => void} pan
 * @property {(px: number, py: number, factor: number) => void} zoom
 * @property {() => void} reset
 * @property {(px: number, py: number) => void} hover
 * @property {() => void} leave
 * @property {(px: number, py: number, byFinger: boolean) => void} click
 * @property {(outline: number[][]) => void} outline  the shape while it is drawn
 * @property {(outline: number[][]) => void} select  the finished shape
 */

/** @param {HTMLElement} surface @param {GestureListener} listener */
export function listenToGestures(surface, listener) {
  /** Pointers that are down, by id. */
  const down = new Map();
  let drag = null;

  const place = (event) => {
    const box = surface.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };

  const outlineTo = ([x, y]) => {
    if (drag.mode === "box") {
      const [x0, y0] = drag.start;
      return [[x0, y0], [x, y0], [x, y], [x0, y]];
    }
    return drag.path;
  };

  surface.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    surface.setPointerCapture(event.pointerId);
    const at = place(event);
    down.set(event.pointerId, at);
    if (down.size > 1) {
      if (drag && drag.mode !== "pan") listener.outline([]);
      drag = null;
      return;
    }
    const mode = event.shiftKey ? "lasso" : listener.mode();
    drag = { mode, start: at, last: at, path: [at], moved: false };
  });

  surface.addEventListener("pointermove", (event) => {
    const at = place(event);
    if (down.size === 2 && down.has(event.pointerId)) {
      pinch(event.pointerId, at);
      return;
    }
    if (!drag) {
      if (event.pointerType !== "touch") listener.hover(...at);
      return;
    }
    const [dx, dy] = [at[0] - drag.last[0], at[1] - drag.last[1]];
    if (!drag.moved) {
      const far = Math.hypot(at[0] - drag.start[0], at[1] - drag.start[1]);
      if (far < SHORTEST_DRAG) return;
      drag.moved = true;
      listener.leave();
    }
    drag.last = at;
    if (drag.mode === "pan") {
      listener.pan(dx, dy);
    } else {
      drag.path.push(at);
      listener.outline(outlineTo(at));
    }
  });

  function pinch(id, at) {
    const [otherId] = [...down.keys()].filter((key) => key !== id);
    const other = down.get(otherId);
    const before = down.get(id);
    const span = (p) => Math.max(1, Math.hypot(p[0] - other[0], p[1] - other[1]));
    listener.zoom((at[0] + other[0]) / 2, (at[1] + other[1]) / 2, span(at) / span(before));
    listener.pan((at[0] - before[0]) / 2, (at[1] - before[1]) / 2);
    down.set(id, at);
  }

  const lift = (event) => {
    down.delete(event.pointerId);
    if (!drag) return;
    const finished = drag;
    const at = place(event);
    if (event.type === "pointerup") {
      if (!finished.moved) listener.click(...at, event.pointerType === "touch");
      else if (finished.mode !== "pan") listener.select(outlineTo(at));
    }
    listener.outline([]);
    drag = null;
  };
  surface.addEventListener("pointerup", lift);
  surface.addEventListener("pointercancel", lift);
  surface.addEventListener("pointerleave", (event) => {
    // A finger leaves as soon as it is lifted: what it touched is only then to be read.
    if (event.pointerType !== "touch") listener.leave();
  });
  surface.addEventListener("dblclick", () => listener.reset());
  surface.addEventListener("wheel", (event) => {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 100 : 1;
    const amount = Math.min(Math.max(event.deltaY * lines, -240), 240);
    listener.zoom(...place(event), Math.exp(-amount * 0.0022));
  }, { passive: false });
}
