/** What the charts share that are drawn as SVG. */

/** An element of a drawing, not yet in it. */
export function svgElement(name, attributes = {}, text = null) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== null) made.textContent = text;
  return made;
}

/** A text in as many lines as it needs; a word is not broken, nor a number from its sign. */
export function inLines(text, room, measure) {
  const lines = [];
  for (const word of text.split(/ (?!%)/)) {
    const longer = lines.length ? `${lines.at(-1)} ${word}` : word;
    if (lines.length && measure(longer) <= room) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}
