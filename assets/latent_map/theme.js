/** The page's colours and type, as Streamlit hands them down in CSS variables. */

/**
 * @param {HTMLElement} root
 * @returns {{text: string, page: string, pageRgb: number[], font: string, scale: number}}
 *   scale: how much larger the page's type is than usual, as on a projector
 */
export function readTheme(root) {
  const style = getComputedStyle(root);
  const read = (name, otherwise) => style.getPropertyValue(name).trim() || otherwise;
  const [r, g, b] = rgbOf(read("--st-primary-color", "#1578c4"));
  const isBright = 0.299 * r + 0.587 * g + 0.114 * b > 150;
  root.style.setProperty("--on-accent", isBright ? "#000000" : "#ffffff");
  const page = read("--st-background-color", "#ffffff");
  return {
    text: read("--st-text-color", "#31333f"),
    page,
    pageRgb: rgbOf(page),
    font: read("--st-font", "sans-serif"),
    scale: typeScale(),
  };
}

/** The page's type in pixels at its usual size; --u in map.css says the same. */
const USUAL = 17;

export function typeScale() {
  return Math.max(1, parseFloat(getComputedStyle(document.documentElement).fontSize) / USUAL);
}

/** Red, green and blue of any CSS colour. */
function rgbOf(css) {
  const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = css;
  context.fillRect(0, 0, 1, 1);
  return [...context.getImageData(0, 0, 1, 1).data.slice(0, 3)];
}
