/**
 * Arrow keys, a presenter's clicker and the buttons Next and Back turn the lesson's pages. It shows
 * nothing.
 *
 * Each press names the step that it leads to, counted from where the presses before it lead: so
 * none is lost while the server is busy with the first.
 */

const NEXT = ["ArrowRight", "PageDown"];
const BACK = ["ArrowLeft", "PageUp"];
/** Where these keys have a meaning of their own. */
const OWN = [
  "input", "textarea", "select", '[contenteditable="true"]', "[role=slider]", "[role=radio]",
  "[role=listbox]", "[role=combobox]", "[role=menu]", "[role=dialog]",
].join();
const BUTTONS = { next: ".st-key-ls-next button", back: ".st-key-ls-back button" };

class Turner {
  constructor() {
    /** The step that the presses so far lead to; null where the server has heard them all. */
    this.wanted = null;
    this.number = Date.now();
    this.onKey = (event) => this.#key(event);
    this.onClick = (event) => this.#click(event);
    document.addEventListener("keydown", this.onKey);
    document.addEventListener("click", this.onClick, true);
  }

  /** @param {{step: number, last: number, heard: number|null}} data */
  update(data, setStateValue) {
    this.data = data;
    this.setStateValue = setStateValue;
    if (data.heard === this.number) this.wanted = null;
  }

  turn(by) {
    const { step, last } = this.data;
    const from = this.wanted ?? step;
    const to = Math.min(Math.max(from + by, 0), last);
    if (to === from) return;
    this.wanted = to;
    this.number += 1;
    this.setStateValue("turn", { to, number: this.number });
  }

  #key(event) {
    if (event.defaultPrevented || event.repeat) return;
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const by = NEXT.includes(event.key) ? 1 : BACK.includes(event.key) ? -1 : 0;
    // A map that has the focus steps through its frames and lets no arrow come here.
    if (!by || event.composedPath()[0].closest?.(OWN)) return;
    if (!document.querySelector(BUTTONS.next)) return;
    event.preventDefault();
    this.turn(by);
  }

  /** Takes the place of the buttons' own messages, of which one swallows the other. */
  #click(event) {
    const by = event.target.closest?.(BUTTONS.next) ? 1
      : event.target.closest?.(BUTTONS.back) ? -1 : 0;
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    this.turn(by);
  }

  destroy() {
    document.removeEventListener("keydown", this.onKey);
    document.removeEventListener("click", this.onClick, true);
  }
}

/** Turners by the node that Streamlit gave their element. */
const turners = new WeakMap();

/** Streamlit calls this when the element appears, and whenever the step changes. */
export default function listenForKeys({ parentElement, data, setStateValue }) {
  const place = parentElement.querySelector(".lk");
  const root = place.getRootNode();
  const around = (root.host ?? place).closest('[data-testid="stElementContainer"]');
  if (around) around.style.display = "none";
  let turner = turners.get(parentElement);
  if (!turner) {
    turner = new Turner();
    turners.set(parentElement, turner);
  }
  turner.update(data, setStateValue);
  const shown = turner;
  // Streamlit cleans up before every call, too: only a node that has left the page is at its end.
  return () => setTimeout(() => {
    if (place.isConnected) return;
    shown.destroy();
    if (turners.get(parentElement) === shown) turners.delete(parentElement);
  }, 0);
}
