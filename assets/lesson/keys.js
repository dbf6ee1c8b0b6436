/**
 * Arrow keys, a presenter's clicker, the buttons Next and Back and those of the steps turn the
 * lesson's pages. It shows nothing.
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
const STEP = /\bst-key-ls-dot-(\d+)\b/;

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
    this.go(this.#from + by);
  }

  /** Where the presses so far lead. */
  get #from() {
    return this.wanted ?? this.data.step;
  }

  go(step) {
    const to = Math.min(Math.max(step, 0), this.data.last);
    if (to === this.#from) return;
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
    const button = event.target.closest?.("button");
    if (!button) return;
    const named = button.closest('[class*="st-key-ls-dot-"]')?.className.match(STEP);
    const by = button.matches(BUTTONS.next) ? 1 : button.matches(BUTTONS.back) ? -1 : 0;
    if (!by && !named) return;
    event.preventDefault();
    event.stopPropagation();
    if (named) this.go(Number(named[1]) - 1);
    else this.turn(by);
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
