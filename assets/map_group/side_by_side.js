/** The maps of a group as one picture. */
import { pictureOf } from "./snapshot.js";

/**
 * All maps on one canvas, side by side, each under its name; null before there are any.
 * @param {any[]} members
 * @param {{text: string, page: string, font: string}} theme
 */
export function sideBySide(members, theme) {
  const pictures = members.map(({ map, who }) => ({ who, map, canvas: pictureOf(map) }))
    .filter(({ canvas }) => canvas);
  if (!pictures.length) return null;
  const { ratio } = pictures[0].map;
  const head = 40 * ratio;
  const whole = document.createElement("canvas");
  whole.width = pictures.reduce((sum, { canvas }) => sum + canvas.width, 0);
  whole.height = head + Math.max(...pictures.map(({ canvas }) => canvas.height));
  const context = whole.getContext("2d");
  context.fillStyle = theme.page;
  context.fillRect(0, 0, whole.width, whole.height);
  let left = 0;
  for (const { canvas, who } of pictures) {
    context.drawImage(canvas, left, head);
    context.fillStyle = theme.text;
    context.font = `600 ${22 * ratio}px ${theme.font}`;
    context.fillText(`${who.sign}  ${who.title}`, left + 16 * ratio, 28 * ratio);
    left += canvas.width;
  }
  return whole;
}
