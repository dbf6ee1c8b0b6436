/**
 * What becomes an entry of the browser's history: another page, another run, another step.
 *
 * Streamlit pushes an entry whenever a page writes into its address, so that a page which completes
 * its address, or a slider that is moved, would each cost a press of Back. Those replace the entry
 * that is there. It shows nothing.
 */

/** What a page is about, not how it shows it: another value is another entry. */
const CONTENT = ["run", "step"];
/** Pages with a list, which are something else without a run. */
const LISTS = ["load"];

const nameOf = (path) => path.replace(/\/+$/, "").split("/").pop();

/** Whether one address after another deserves an entry of its own. */
function isAnEntry(before, after) {
  if (before.pathname !== after.pathname) return true;
  return CONTENT.some((name) => {
    const [was, is] = [before, after].map((address) => address.searchParams.get(name));
    if (was === is) return false;
    return (was !== null && is !== null) || (name === "run" && LISTS.includes(nameOf(after.pathname)));
  });
}

/**
 * Takes the place of `history.pushState`.
 *
 * What a new page writes into its address may come before its name does. It is taken back from the
 * entry of the page before as soon as the name comes, which brings it along.
 */
class FewEntries {
  constructor() {
    this.push = history.pushState.bind(history);
    this.early = null; // the first write since a person last did something
    const forget = () => (this.early = null);
    for (const kind of ["pointerdown", "click", "keydown", "popstate"])
      addEventListener(kind, forget, true);
  }

  write(state, unused, url) {
    const [before, after] = [new URL(location.href), new URL(url ?? location.href, location.href)];
    const early = this.early;
    if (before.pathname === after.pathname) {
      const pushed = isAnEntry(before, after);
      if (pushed) this.push(state, unused, url);
      else history.replaceState(state, unused, url);
      this.early ??= { before, pushed };
      return;
    }
    this.early = null;
    if (early?.pushed) {
      history.replaceState(state, unused, url);
      return;
    }
    if (early) history.replaceState({}, "", early.before);
    this.push(state, unused, url);
  }
}

function keepEntriesFew() {
  if (history.pushState.keepsEntriesFew) return;
  const entries = new FewEntries();
  history.pushState = (...entry) => entries.write(...entry);
  history.pushState.keepsEntriesFew = true;
  document.addEventListener("click", leadToTheList, true);
}

/** The name of a list's page leads from an opened run to the list; Streamlit would open it again. */
function leadToTheList(event) {
  if (event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = event.target.closest?.('a[data-testid="stTopNavLink"]');
  if (!link) return;
  const [here, there] = [new URL(location.href), new URL(link.href)];
  if (here.pathname !== there.pathname || !LISTS.includes(nameOf(here.pathname))) return;
  if (!here.searchParams.has("run")) return;
  event.preventDefault();
  event.stopPropagation();
  here.searchParams.delete("run");
  history.pushState({}, "", here);
  // Streamlit takes the address up as it does after Back.
  dispatchEvent(new PopStateEvent("popstate", { state: {} }));
}

/** Streamlit calls this when the element appears; what it did lasts as long as the document. */
export default function begin({ parentElement }) {
  const root = parentElement.getRootNode();
  const around = (root.host ?? parentElement).closest('[data-testid="stElementContainer"]');
  if (around) around.style.display = "none";
  keepEntriesFew();
}
