/** A page of its own: unpacks the frames, and changes between the maps. */

const mapPlace = document.querySelector("main");
const mapViews = JSON.parse(document.getElementById("views").textContent);

/** @param {string} packed  gzip in base64 @returns {Promise<Uint8Array>} */
async function unpacked(packed) {
  const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function showView(view) {
  view.message ??= await unpacked(view.frames);
  const nothing = () => {};
  showLatentMap({ parentElement: mapPlace, data: view.message, setStateValue: nothing });
  document.querySelector("footer").textContent = view.words;
  for (const other of mapViews) other.button?.setAttribute("aria-pressed", String(other === view));
}

function sayProblem(problem) {
  const place = document.querySelector(".mp-problem");
  const isOld = typeof DecompressionStream === "undefined";
  place.textContent = isOld
    ? "This browser is too old to unpack the maps. Open the file in a newer one."
    : `The maps cannot be shown: ${problem.message}`;
  place.hidden = false;
}

if (mapViews.length > 1) {
  for (const view of mapViews) {
    view.button = Object.assign(document.createElement("button"), {
      type: "button", textContent: view.title,
    });
    view.button.addEventListener("click", () => showView(view).catch(sayProblem));
    document.querySelector("nav").append(view.button);
  }
}
showView(mapViews[0]).catch(sayProblem);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  const shown = mapViews.find((view) => view.button?.ariaPressed === "true") ?? mapViews[0];
  showView(shown).catch(sayProblem);
});
