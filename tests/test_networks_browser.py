"""Networks in a real Chromium: they agree with PyTorch, are fast, and reach every component."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from pages.shared.networks import networks_script
from vade_core.models import VAE, LambdaHot, VaDE
from vade_core.models.base import LatentModel
from vade_core.portable import digest_of, pack_networks, seeded_normals

pytestmark = pytest.mark.browser

COMMON: dict[str, Any] = {"latent_dim": 6, "epochs": 2, "precision": "fp32"}


@pytest.fixture(scope="module")
def page(chromium: Any) -> Iterator[Any]:
    """A bare page with the script of the networks in it."""
    context = chromium.new_context()
    found = context.new_page()
    script = networks_script() + (
        "\nObject.assign(globalThis, {Networks, NewestDecode, registerNetworks, whenNetworks,"
        " seededNormals, drawGrey, drawProfile});"
        "\nglobalThis.bytesOf = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));"
    )
    found.set_content("<canvas></canvas>")
    found.add_script_tag(content=script, type="module")
    found.wait_for_function("globalThis.bytesOf !== undefined")
    yield found
    context.close()


def model_of(kind: str, hidden: tuple[int, ...] = (37, 70)) -> LatentModel:
    rng = np.random.default_rng(0)
    centres = rng.random((4, 63)) > 0.5
    labels = np.arange(400) % 4
    X = np.clip(centres[labels] + 0.2 * rng.normal(size=(400, 63)), 0, 1).astype(np.float32)
    more: dict[str, Any] = {**COMMON, "hidden": hidden}
    if kind == "vae":
        return VAE(n_clusters=4, **more).fit(X)
    if kind == "lambda-hot":
        return LambdaHot(**more).fit(X, labels)
    if kind == "gaussian":
        return VaDE(n_clusters=4, pretrain_epochs=2, start="kmeans", **more).fit(3 * X - 1)
    return VaDE(n_clusters=4, pretrain_epochs=2, start="kmeans", **more).fit(X)


def ask(page: Any, model: LatentModel, expression: str, plain: bool = False, **given: Any) -> Any:
    """Evaluate an expression on `net`, with what is given as Float32Arrays."""
    arrays = {name: np.asarray(v, np.float32).ravel().tolist() for name, v in given.items()}
    return page.evaluate(
        f"""([packed, plain, arrays]) => {{
            const net = new Networks(bytesOf(packed), {{plain}});
            for (const name in arrays) arrays[name] = Float32Array.from(arrays[name]);
            const {{{", ".join(given)}}} = arrays;
            const found = {expression};
            return typeof found === "string" ? found : Array.from(found);
        }}""",
        [base64.b64encode(pack_networks(model)).decode(), plain, arrays],
    )


@pytest.mark.parametrize("plain", [False, True], ids=["wasm", "js"])
@pytest.mark.parametrize("kind", ["vade", "vae", "lambda-hot", "gaussian"])
def test_decoder_encoder_and_prior_agree_with_pytorch(page: Any, kind: str, plain: bool) -> None:
    model = model_of(kind)
    # More rows than go through the layers together, and a rest that no wide kernel takes.
    z = model.sample_latents(47, random_state=1)
    assert ask(page, model, "net.kind", plain) == ("js" if plain else "wasm")
    decoded = np.reshape(ask(page, model, "net.decode(z, 47)", plain, z=z), (47, 63))
    assert np.abs(decoded - model.decode(z)).max() < 0.02
    for n in (1, 3):
        few = np.reshape(ask(page, model, f"net.decode(z, {n})", plain, z=z[:n]), (n, 63))
        assert np.abs(few - decoded[:n]).max() < 1e-5
    x = model.decode(z).astype(np.float32)
    mean, log_variance = model.posterior(x)
    expression = "[...net.encode(x, 47).mean, ...net.encode(x, 47).logVariance]"
    found = np.reshape(ask(page, model, expression, plain, x=x), (2, 47, 6))
    assert np.abs(found[0] - mean).max() < 0.02
    assert np.abs(found[1] - log_variance).max() < 0.02


@pytest.mark.parametrize("kind", ["vade", "vae", "lambda-hot"])
def test_responsibilities_and_densities_agree_with_pytorch(page: Any, kind: str) -> None:
    model = model_of(kind)
    z = np.concatenate([model.sample_latents(30), 40 + np.zeros((1, 6), np.float32)])
    gamma = model.responsibilities(z)
    found = np.reshape(ask(page, model, "net.responsibilities(z, 31)", z=z), gamma.shape)
    assert np.abs(found - gamma).max() < 0.01

    def mixture_log_density(prior: Any) -> np.ndarray:
        log_weights, means, log_variances = prior.components()
        parts = torch.distributions.Independent(
            torch.distributions.Normal(means, torch.exp(0.5 * log_variances)), 1
        )
        weights = torch.distributions.Categorical(logits=log_weights)
        both = torch.distributions.MixtureSameFamily(weights, parts)
        return both.log_prob(torch.from_numpy(z)).detach().numpy()

    for expression, prior in (
        ("net.logPrior(z, 31)", model.assigning_prior()),
        ("net.logGeneratingPrior(z, 31)", model.prior_),
    ):
        expected = mixture_log_density(prior)
        assert np.allclose(ask(page, model, expression, z=z), expected, rtol=1e-4, atol=1e-3)


def test_noise_is_the_same_in_python(page: Any) -> None:
    for seed, n, dim in ((0, 3, 2), (12345, 40, 10), (2**32 - 1, 5, 7)):
        found = page.evaluate("([s, n, d]) => Array.from(seededNormals(s, n, d))", [seed, n, dim])
        assert np.abs(np.reshape(found, (n, dim)) - seeded_normals(seed, n, dim)).max() < 1e-6


def test_networks_without_encoder_and_foreign_bytes_say_what_is_wrong(page: Any) -> None:
    packed = base64.b64encode(pack_networks(model_of("vae"), encoder=False)).decode()
    said = page.evaluate(
        """(packed) => {
            const net = new Networks(bytesOf(packed));
            const said = [];
            for (const wrong of [() => net.encode(new Float32Array(63), 1),
                                 () => net.decode(new Float32Array(5), 1),
                                 () => new Networks(new Uint8Array(64))]) {
                try { wrong(); said.push("nothing"); } catch (error) { said.push(error.message); }
            }
            return said;
        }""",
        packed,
    )
    assert "without their encoder" in said[0]
    assert "1 rows of 6 values" in said[1]
    assert "unknown format" in said[2]


def test_bytes_may_begin_anywhere_in_a_buffer(page: Any) -> None:
    model = model_of("vae")
    packed = base64.b64encode(pack_networks(model)).decode()
    z = np.zeros((1, 6), np.float32)
    decoded = page.evaluate(
        """(packed) => {
            const bytes = bytesOf(packed);
            const shifted = new Uint8Array(bytes.length + 3);
            shifted.set(bytes, 3);
            return Array.from(new Networks(shifted.subarray(3)).decode(new Float32Array(6), 1));
        }""",
        packed,
    )
    assert np.abs(decoded - model.decode(z)[0]).max() < 0.02


def test_the_newest_request_wins_and_the_page_keeps_its_turns(page: Any) -> None:
    model = model_of("vae", hidden=(500, 500, 2000))
    packed = base64.b64encode(pack_networks(model, encoder=False)).decode()
    told = page.evaluate(
        """async (packed) => {
            const net = new Networks(bytesOf(packed));
            const newest = new NewestDecode(net);
            const done = [], seen = [0, 0, 0];
            let turns = 0, going = true;
            const turn = () => { turns++; if (going) requestAnimationFrame(turn); };
            requestAnimationFrame(turn);
            await new Promise((resolve) => {
                for (const name of [0, 1, 2]) {
                    newest.ask(new Float32Array(6 * 2000), 2000,
                        (values, first, count) => { seen[name] += values.length / 63; },
                        () => { done.push(name); if (name === 2) resolve(); });
                }
            });
            going = false;
            return {done, seen, turns};
        }""",
        packed,
    )
    assert told["done"][-1] == 2
    assert 1 not in told["done"]
    assert told["seen"][1] == 0
    assert told["seen"][2] == 2000
    assert told["turns"] > 3


def test_a_large_decoder_is_fast_enough(page: Any) -> None:
    """10-2000-500-500-784: bounds far above what is aimed at, for slow machines."""
    rng = np.random.default_rng(0)
    model = VAE(n_clusters=2, epochs=1, precision="fp32", latent_dim=10)
    model.fit(rng.random((64, 784)).astype(np.float32))
    packed = base64.b64encode(pack_networks(model, encoder=False)).decode()
    times = page.evaluate(
        """(packed) => {
            const net = new Networks(bytesOf(packed));
            const z = Float32Array.from({length: 1000}, (_, i) => Math.sin(i));
            const median = (n) => {
                const found = [];
                for (let i = 0; i < 9; i++) {
                    const from = performance.now();
                    net.decode(z, n);
                    found.push(performance.now() - from);
                }
                return found.sort((a, b) => a - b)[4];
            };
            median(1);
            return {one: median(1), hundred: median(100), kind: net.kind};
        }""",
        packed,
    )
    print(json.dumps(times), file=sys.stderr)
    assert times["one"] < 30
    assert times["hundred"] < 600


def test_grey_pixels_and_profiles_are_drawn(page: Any) -> None:
    pixels = page.evaluate(
        """() => {
            const canvas = document.querySelector("canvas");
            drawGrey(canvas, [9, 0, 0.5, 1, 2, -1, NaN], 1, [2, 3]);
            const data = canvas.getContext("2d").getImageData(0, 0, 3, 2).data;
            return {size: [canvas.width, canvas.height], data: Array.from(data)};
        }"""
    )
    assert pixels["size"] == [3, 2]
    grey = np.reshape(pixels["data"], (6, 4))
    assert grey[:, 0].tolist() == [0, 128, 255, 255, 0, 0]
    assert (grey[:, 3] == 255).all()
    ink = page.evaluate(
        """() => {
            const canvas = Object.assign(document.createElement("canvas"), {width: 60, height: 30});
            const values = Float32Array.from({length: 500}, (_, i) => i / 499);
            drawProfile(canvas, values, 0, 500, {low: 0, high: 1});
            const data = canvas.getContext("2d").getImageData(0, 0, 60, 30).data;
            const rows = (x) => [...Array(30).keys()]
                .filter((y) => data[4 * (60 * y + x) + 3] > 99);
            return [rows(5), rows(54)];
        }"""
    )
    assert min(ink[0]) > max(ink[1])  # the line rises


def test_only_so_many_networks_are_kept(page: Any) -> None:
    model = model_of("vae", hidden=(8,))
    messages = []
    for shift in range(5):
        with torch.no_grad():
            model.networks_.decoder.mean.bias[0] = shift
        messages.append(pack_networks(model, encoder=False))
    kept = page.evaluate(
        """async ([messages, digests]) => {
            globalThis.vadeNetworks = undefined;
            const waiting = whenNetworks(digests[3]);
            for (const message of messages) {
                registerNetworks(bytesOf(message), (digest) => digest === digests[0]);
            }
            return [[...vadeNetworks.keys()], (await waiting).digest];
        }""",
        [[base64.b64encode(m).decode() for m in messages], [digest_of(m) for m in messages]],
    )
    # The first still belongs to the page.
    assert kept[0] == [digest_of(messages[i]) for i in (0, 3, 4)]
    assert kept[1] == digest_of(messages[3])
