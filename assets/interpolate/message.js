/** What the server sends: the points of the map, their latents and pictures, and the mixtures. */

/**
 * Takes a message of pack_message in pages/shared/exploration_message.py apart.
 * @param {Uint8Array} message
 * @returns {{header: any, part: (name: string) => any}}  part: a typed array, or null
 */
export function openMessage(message) {
  // A copy starts on an aligned address, which views of wider numbers need.
  const bytes = message.slice();
  const view = new DataView(bytes.buffer);
  if (String.fromCharCode(...bytes.subarray(0, 4)) !== "VIPO" || view.getUint32(4, true) !== 1) {
    throw new Error("The page's data have an unknown format. Reload the page.");
  }
  const length = view.getUint32(8, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(12, 12 + length)));
  const base = 8 * Math.ceil((12 + length) / 8);
  const kinds = { f4: Float32Array, u1: Uint8Array, i2: Int16Array };
  return {
    header,
    part(name) {
      const place = header.parts[name];
      if (!place) return null;
      const [offset, count, kind] = place;
      return new kinds[kind](bytes.buffer, base + offset, count);
    },
  };
}

/** Numbers as text that an address can carry: float32, base64 with - and _. */
export function textOfNumbers(numbers) {
  const bytes = new Uint8Array(Float32Array.from(numbers).buffer);
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** The numbers of such a text; null where it is none. @returns {Float32Array|null} */
export function numbersOfText(text) {
  try {
    const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(binary, (letter) => letter.charCodeAt(0));
    if (bytes.length % 4) return null;
    return new Float32Array(bytes.buffer);
  } catch {
    return null;
  }
}
