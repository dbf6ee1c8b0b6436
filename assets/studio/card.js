/** One sample, large, with its responsibilities as bars. */

const MOST_BARS = 14;

export class Card {
  /**
   * @param {HTMLElement} root
   * @param {() => void} onClose
   */
  constructor(root, onClose) {
    this.root = root;
    this.onClose = onClose;
    root.addEventListener("click", (event) => {
      if (event.target.closest("button")) onClose();
    });
  }

  /**
   * @param {string} title
   * @param {HTMLCanvasElement} canvas  drawn
   * @param {{name: string, number: string, colour: string, ink: string, gamma: number}[]} looks
   *   of the clusters in their order, with what each has of the sample
   */
  show(title, canvas, looks) {
    const make = (tag, text = "") => Object.assign(document.createElement(tag), {
      textContent: text,
    });
    const header = document.createElement("header");
    const close = make("button", "Close");
    header.append(make("span", title), close);
    // All clusters in their order as long as there is room, else the largest ones.
    const shown = looks.length > MOST_BARS
      ? [...looks].sort((a, b) => b.gamma - a.gamma).slice(0, MOST_BARS) : looks;
    const bars = shown.map(({ name: said, number, colour, ink, gamma }) => {
      const bar = Object.assign(document.createElement("div"), { className: "cs-bar" });
      const name = make("b", said);
      name.style.cssText = `background:${colour};color:${ink}`;
      name.title = `cluster number ${number.slice(1)}`;
      const value = document.createElement("i");
      value.style.cssText = `background:${colour};width:${100 * gamma}%`;
      bar.append(name, value, make("span", gamma.toFixed(3)));
      bar.dataset.gamma = gamma.toFixed(4);
      return bar;
    });
    const foot = make("div", "γ = p(c|z): how much each cluster answers for this latent.");
    foot.className = "cs-foot";
    const all = Object.assign(document.createElement("div"), { className: "cs-bars" });
    all.append(...bars);
    const hadFocus = this.root.contains(this.root.getRootNode().activeElement);
    this.root.replaceChildren(header, canvas, all, foot);
    this.root.hidden = false;
    if (hadFocus) close.focus();
  }

  hide() {
    this.root.hidden = true;
    this.root.replaceChildren();
  }
}
