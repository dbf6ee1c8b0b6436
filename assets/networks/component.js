/** The element that brings networks to a page. It shows nothing. */
import { registerNetworks } from "./registry.js";

/** Digests of the elements that are on the page, by element. */
globalThis.vadeNetworksShown ??= new Map();

/** Streamlit calls this whenever the data change. */
export default function bringNetworks({ parentElement, data }) {
  const place = parentElement.querySelector(".vn");
  const root = place.getRootNode();
  const around = (root.host ?? place).closest('[data-testid="stElementContainer"]');
  // Without it the page leaves a gap where the element is.
  if (around) around.style.display = "none";
  const shown = globalThis.vadeNetworksShown;
  for (const element of [...shown.keys()]) if (!element.isConnected) shown.delete(element);
  shown.delete(place);
  shown.set(place, registerNetworks(data, (digest) => [...shown.values()].includes(digest)));
}
