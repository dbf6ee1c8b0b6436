/** The matching of clusters with classes, step by step. Counts and words come from Python. */

/** How long each step stays while it plays, in milliseconds. */
const PACE = 4500;
const [WISHES, CONFLICTS, MATCHING, SUM] = [1, 2, 3, 4];

class Matching {
  constructor(root) {
    this.root = root;
    this.step = 0;
    this.find = (selector) => root.querySelector(selector);
    root.addEventListener("click", (event) => {
      const act = event.target.closest("button")?.dataset.act;
      if (act === "play") this.play(!this.timer);
      else if (act) this.go(this.step + (act === "next" ? 1 : -1));
    });
  }

  update(data) {
    const words = JSON.stringify(data);
    if (words === this.known) return;
    this.known = words;
    this.data = data;
    this.#build();
    this.show();
  }

  #build() {
    const { columns, rows, table } = this.data;
    const make = (tag, text = "", name = "") => Object.assign(document.createElement(tag), {
      textContent: text, className: name,
    });
    const head = document.createElement("tr");
    head.append(make("th", "", "ac-row"));
    this.heads = columns.map(({ name, colour, ink }) => {
      const cell = make("th", name);
      cell.style.cssText = `background:${colour};color:${ink}`;
      cell.title = name;
      return cell;
    });
    head.append(...this.heads);
    this.cells = [];
    this.names = [];
    const lines = rows.map((name, r) => {
      const line = document.createElement("tr");
      const label = make("th", name, "ac-row");
      this.names.push(label);
      const size = Math.max(1, table[r].reduce((sum, count) => sum + count, 0));
      this.cells.push(table[r].map((count) => {
        const cell = make("td", count.toLocaleString("en"), count ? "" : "ac-zero");
        cell.style.setProperty("--share", `${Math.round((70 * count) / size)}%`);
        return cell;
      }));
      line.append(label, ...this.cells[r]);
      return line;
    });
    this.find(".ac-table").replaceChildren(head, ...lines);
  }

  show() {
    const { data, step } = this;
    const { best, matched, wanted, steps, columns } = data;
    this.cells.forEach((row, r) => row.forEach((cell, c) => {
      const wish = best[r] === c;
      const match = matched[r] === c;
      const torn = wish && wanted[c].length > 1;
      const on = (name, isOn) => cell.classList.toggle(name, isOn);
      on("ac-wish", wish && (step === WISHES || step === CONFLICTS));
      on("ac-torn", torn && step === CONFLICTS);
      on("ac-lost", wish && !match && step === MATCHING);
      on("ac-match", match && step >= MATCHING);
      on("ac-faint", (step === CONFLICTS && !wish) || (step === SUM && !match));
      cell.style.setProperty("--own", columns[c].colour);
      cell.style.setProperty("--ink", columns[c].ink);
    }));
    this.heads.forEach((head, c) => {
      head.classList.toggle("ac-torn", step === CONFLICTS && wanted[c].length > 1);
      const without = step === CONFLICTS ? !wanted[c].length : !matched.includes(c);
      head.classList.toggle("ac-left-over", step >= CONFLICTS && without);
    });
    this.names.forEach((label, r) => {
      const found = step >= MATCHING ? matched[r] : -1;
      const arrow = found >= 0 ? ` → ${columns[found].name}` : step >= MATCHING ? " → –" : "";
      label.textContent = data.rows[r] + arrow;
      label.style.cssText = found < 0 ? ""
        : `background:${columns[found].colour};color:${columns[found].ink}`;
    });
    this.find(".ac-title").textContent = steps[step].title;
    this.find(".ac-words").replaceChildren(...steps[step].words.map((text) => (
      Object.assign(document.createElement("p"), { textContent: text }))));
    this.find(".ac-count").textContent = `${step + 1} of ${steps.length}`;
    this.find("[data-act=back]").disabled = step === 0;
    this.find("[data-act=next]").disabled = step === steps.length - 1;
    this.find("[data-act=play]").textContent = this.timer ? "Pause" : "Play";
    Object.assign(this.root.dataset, { step, sum: data.sum, total: data.total });
  }

  /** Goes to a step and rests there, unless it plays. */
  go(step, playing = false) {
    if (!playing) this.#stop();
    this.step = Math.min(this.data.steps.length - 1, Math.max(0, step));
    this.show();
  }

  play(isOn) {
    this.#stop();
    if (isOn) {
      // From the end it begins anew.
      if (this.step === this.data.steps.length - 1) this.step = 0;
      this.timer = setInterval(() => {
        if (this.step >= this.data.steps.length - 2) this.#stop();
        this.go(this.step + 1, true);
      }, PACE);
    }
    this.show();
  }

  #stop() {
    clearInterval(this.timer);
    this.timer = 0;
  }

  destroy() {
    this.#stop();
  }
}

/** Matchings by the node that Streamlit gave them. */
const matchings = new WeakMap();

/** Streamlit calls this whenever the data or the theme change. */
export default function showMatching({ parentElement, data }) {
  const root = parentElement.querySelector(".ac");
  let matching = matchings.get(parentElement);
  if (matching?.root !== root) {
    matching?.destroy();
    matching = new Matching(root);
    matchings.set(parentElement, matching);
  }
  matching.update(data);
  const shown = matching;
  return () => setTimeout(() => {
    if (root.isConnected || matchings.get(parentElement) !== shown) return;
    shown.destroy();
    matchings.delete(parentElement);
  }, 0);
}
