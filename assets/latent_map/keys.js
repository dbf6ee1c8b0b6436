/** What the keys do while the map has the focus. */

/**
 * @param {KeyboardEvent} event
 * @param {{play: () => void, step: (frames: number) => void, first: () => void,
 *   last: () => void, digit: (digit: string) => void, letGo: () => void}} acts
 */
export function handleKey(event, acts) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const { key } = event;
  const within = event.composedPath()[0];
  if (within instanceof HTMLSelectElement) return;
  if (within instanceof HTMLButtonElement && (key === " " || key === "Enter")) return;
  if (key === " ") acts.play();
  else if (key === "ArrowRight" || key === "ArrowUp") acts.step(1);
  else if (key === "ArrowLeft" || key === "ArrowDown") acts.step(-1);
  else if (key === "Home") acts.first();
  else if (key === "End") acts.last();
  else if (key === "Escape") acts.letGo();
  else if (/^[0-9]$/.test(key)) acts.digit(key);
  else return;
  // The page has keys of its own.
  event.preventDefault();
  event.stopPropagation();
}
