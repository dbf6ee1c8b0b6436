/** The picture of a step: built once for a run, then told whether the answer is shown. */
import { openMessage } from "./message.js";
import { Mixture } from "./mixture.js";
import { LocalEngine, ServerEngine } from "./engine.js";
import { LatentsView } from "./latents_view.js";
import { CloudView } from "./cloud_view.js";
import { TermsView } from "./terms_view.js";
import { HillsView } from "./hills_view.js";
import { PathView } from "./path_view.js";

const VIEWS = {
  latents: LatentsView, cloud: CloudView, terms: TermsView, hills: HillsView, path: PathView,
};

/** What the server says of a run: samples with their posteriors, and a mixture. */
class LessonWorld {
  constructor({ header, part }) {
    this.header = header;
    this.dim = header.latentDim;
    this.nFeatures = header.nFeatures;
    /** @type {[number, number]|null} height and width */
    this.shape = header.imageShape;
    const isInk = header.low >= 0 && header.high <= 1;
    [this.low, this.high] = this.shape && isInk ? [0, 1] : [header.low, header.high];
    this.names = header.names;
    this.samples = part("samples");
    this.mean = part("mean");
    this.spread = part("logVariance");
    this.ground = part("ground");
    this.groundKinds = part("groundKinds");
    this.mixture = new Mixture(part("logWeights"), part("means"), part("logVariances"));
  }

  /** Mean of q(z|x) of sample i. */
  latent(i) {
    return this.mean.subarray(i * this.dim, (i + 1) * this.dim);
  }

  /** Log-variance of q(z|x) of sample i. */
  logVariances(i) {
    return this.spread.subarray(i * this.dim, (i + 1) * this.dim);
  }
}

class LessonPicture {
  constructor(root) {
    this.root = root;
    this.engine = null;
  }

  update(data, setStateValue) {
    const message = openMessage(data);
    const { header } = message;
    if (header.world !== this.world?.header.world) this.#begin(message, setStateValue);
    else Object.assign(this.world.header, header);
    this.root.dataset.shown = header.shown;
    this.view.show(header.shown);
  }

  #begin(message, setStateValue) {
    this.destroy();
    const { header } = message;
    this.world = new LessonWorld(message);
    this.root.dataset.view = header.view;
    this.root.dataset.ready = "";
    this.engine = null;
    const decodes = header.view !== "terms";
    if (decodes && !header.digest) {
      this.engine = new ServerEngine((ask) => setStateValue("ask", ask));
    }
    this.view = new VIEWS[header.view](this);
    this.root.replaceChildren(this.view.root);
    if (!header.digest) {
      this.root.dataset.ready = decodes ? "server" : "plain";
      return;
    }
    const { world } = this;
    whenNetworks(header.digest).then((networks) => {
      if (this.world !== world) return;
      this.engine = new LocalEngine(networks);
      this.root.dataset.ready = networks.kind;
      this.view.draw();
    });
  }

  destroy() {
    this.view?.destroy?.();
    this.engine?.stop();
  }
}

/** Pictures by the node that Streamlit gave them. */
const shownPictures = new WeakMap();

/** Streamlit calls this whenever the data or the theme change. */
export default function showPicture({ parentElement, data, setStateValue }) {
  const root = parentElement.querySelector(".ls");
  let picture = shownPictures.get(parentElement);
  if (picture?.root !== root) {
    picture?.destroy();
    picture = new LessonPicture(root);
    shownPictures.set(parentElement, picture);
  }
  picture.update(data, setStateValue);
  const shown = picture;
  return () => setTimeout(() => {
    if (root.isConnected || shownPictures.get(parentElement) !== shown) return;
    shown.destroy();
    shownPictures.delete(parentElement);
  }, 0);
}
