/** One sample, large, with its responsibilities as bars. */

const MOST_BARS = 12;

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
   * @param {Float32Array} gamma  of the sample
   * @param {{name: string, number: string, colour: string, ink: string}[]} looks
   */
  show(title, canvas, gamma, looks) {
    const make = (tag, text = "") => Object.assign(document.createElement(tag), {
      textContent: text,
    });
    const header = document.createElement("header");
    const close = make("button", "Close");
    header.append(make("span", title), close);
    // All clusters in their order as long as there is room, else the largest ones.
    let order = looks.map((_, c) => c);
    if (order.length > MOST_BARS) {
      order = order.sort((a, b) => gamma[b] - gamma[a]).slice(0, MOST_BARS);
    }
    const bars = order.map((c) => {
      const bar = Object.assign(document.createElement("div"), { className: "cs-bar" });
      const name = make("b", looks[c].name);
      name.style.cssText = `background:${looks[c].colour};color:${looks[c].ink}`;
      name.title = `cluster ${looks[c].number}`;
      const value = document.createElement("i");
      value.style.cssText = `background:${looks[c].colour};width:${100 * gamma[c]}%`;
      bar.append(name, value, make("span", gamma[c].toFixed(3)));
      bar.dataset.gamma = gamma[c].toFixed(4);
      return bar;
    });
    const foot = make("div", "γ = p(c|z): how much each cluster answers for this latent.");
    foot.style.cssText = "margin-top:8px;font-size:15px";
    const hadFocus = this.root.contains(this.root.getRootNode().activeElement);
    this.root.replaceChildren(header, canvas, ...bars, foot);
    this.root.hidden = false;
    if (hadFocus) close.focus();
  }

  hide() {
    this.root.hidden = true;
    this.root.replaceChildren();
  }
}
