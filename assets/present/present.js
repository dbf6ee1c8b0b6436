/** Escape leaves the present mode. It shows nothing. */

/** Places in which Escape has a meaning of its own. */
const OWN = "input:not([type=range]), textarea, select, [role=dialog], [role=listbox], [role=menu]";

class EscapeKey {
  constructor() {
    this.onCapture = (event) => this.#captured(event);
    this.onBubble = (event) => this.#bubbled(event);
    document.addEventListener("keydown", this.onCapture, true);
    document.addEventListener("keydown", this.onBubble);
    this.kept = 0;
  }

  /** A map keeps its Escape to itself, to let go of a selection: the second one leaves. */
  #captured(event) {
    if (event.key !== "Escape") {
      this.kept = 0;
      return;
    }
    this.heard = false;
    setTimeout(() => {
      if (this.heard) return;
      this.kept += 1;
      if (this.kept > 1) leave();
    }, 0);
  }

  #bubbled(event) {
    if (event.key !== "Escape") return;
    this.heard = true;
    const within = event.composedPath()[0];
    if (event.defaultPrevented || within.closest?.(OWN)) return;
    leave();
  }

  stop() {
    document.removeEventListener("keydown", this.onCapture, true);
    document.removeEventListener("keydown", this.onBubble);
  }
}

function leave() {
  document.querySelector(".st-key-present-leave button")?.click();
}

/** Streamlit calls this when the element appears. */
export default function listenForEscape({ parentElement }) {
  const place = parentElement.querySelector(".vp");
  const root = place.getRootNode();
  const around = (root.host ?? place).closest('[data-testid="stElementContainer"]');
  if (around) around.style.display = "none";
  const keys = new EscapeKey();
  return () => keys.stop();
}
