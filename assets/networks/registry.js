/** Networks of a page by digest; one component brings them, all others wait for them here. */
import { Networks } from "./networks.js";

const MOST_NETWORKS = 3;

/** @returns {Map<string, Networks>} the oldest first */
function knownNetworks() {
  globalThis.vadeNetworks ??= new Map();
  return globalThis.vadeNetworks;
}

/**
 * Unpacks networks unless they are there, and tells everyone who waits.
 * @param {Uint8Array} message
 * @param {(digest: string) => boolean} isShown  whether a digest still belongs to the page
 * @returns {string} their digest
 */
export function registerNetworks(message, isShown = () => false) {
  const known = knownNetworks();
  const digest = digestOfMessage(message);
  if (!known.has(digest)) known.set(digest, new Networks(message));
  for (const old of [...known.keys()]) {
    if (known.size <= MOST_NETWORKS) break;
    if (old !== digest && !isShown(old)) known.delete(old);
  }
  window.dispatchEvent(new CustomEvent("vade-networks", { detail: digest }));
  return digest;
}

function digestOfMessage(message) {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  const text = new TextDecoder().decode(message.subarray(12, 12 + view.getUint32(8, true)));
  return JSON.parse(text).digest;
}

/**
 * The networks of a digest, as soon as they are there.
 * @param {string} digest  of draw_networks in pages/shared/networks.py
 * @returns {Promise<Networks>}
 */
export function whenNetworks(digest) {
  const found = knownNetworks().get(digest);
  if (found) return Promise.resolve(found);
  return new Promise((resolve) => {
    const look = () => {
      const networks = knownNetworks().get(digest);
      if (!networks) return;
      window.removeEventListener("vade-networks", look);
      resolve(networks);
    };
    window.addEventListener("vade-networks", look);
  });
}
