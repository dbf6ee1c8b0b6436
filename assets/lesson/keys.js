/** Arrow keys and a presenter's clicker turn the lesson's pages. It shows nothing. */

const NEXT = ["ArrowRight", "PageDown"];
const BACK = ["ArrowLeft", "PageUp"];
/** Where these keys have a meaning of their own. */
const OWN = [
  "input", "textarea", "select", '[contenteditable="true"]', "[role=slider]", "[role=radio]",
  "[role=listbox]", "[role=combobox]", "[role=menu]", "[role=dialog]",
].join();

/** Listeners by the node that Streamlit gave their element. */
const listening = new WeakMap();

function turn(event) {
  if (event.defaultPrevented || event.repeat) return;
  if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  const way = NEXT.includes(event.key) ? "next" : BACK.includes(event.key) ? "back" : "";
  // A map that has the focus steps through its frames and lets no arrow come here.
  if (!way || event.composedPath()[0].closest?.(OWN)) return;
  const button = document.querySelector(`.st-key-ls-${way} button`);
  if (!button) return;
  event.preventDefault();
  button.click();
}

/** Streamlit calls this when the element appears. */
export default function listenForKeys({ parentElement }) {
  const place = parentElement.querySelector(".lk");
  const root = place.getRootNode();
  const around = (root.host ?? place).closest('[data-testid="stElementContainer"]');
  if (around) around.style.display = "none";
  const before = listening.get(parentElement);
  if (before) document.removeEventListener("keydown", before);
  const listener = (event) => turn(event);
  listening.set(parentElement, listener);
  document.addEventListener("keydown", listener);
  return () => document.removeEventListener("keydown", listener);
}
