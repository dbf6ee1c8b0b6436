/** What the server has decoded, handed to the page's own component. It shows nothing. */
import { openMessage } from "./message.js";

/** Streamlit calls this whenever the data change. */
export default function bringAnswer({ parentElement, data }) {
  const place = parentElement.querySelector(".ip-answer");
  const root = place.getRootNode();
  const around = (root.host ?? place).closest('[data-testid="stElementContainer"]');
  if (around) around.style.display = "none";
  const { header, part } = openMessage(data);
  if (place.dataset.number === header.number) return;
  place.dataset.number = header.number;
  const detail = { number: header.number, values: part("values") };
  window.dispatchEvent(new CustomEvent("vade-interpolate-answer", { detail }));
}
