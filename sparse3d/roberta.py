"""The published networks' text encoder: RoBERTa-base (Liu et al., 2019), through transformers, frozen."""

from __future__ import annotations

import json
import os
import warnings
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int64
from safetensors.torch import load_file
from torch import Tensor

from ..core.errors import BackendUnavailable, CorruptFile, DataError, InvalidInput, MissingPart
from .checkpoint import UNREADABLE, differences
from .text import TokenStates

_HUB_NAMES = ("models--FacebookAI--roberta-base", "models--roberta-base")
_TOKENIZERS = (("tokenizer.json",), ("vocab.json", "merges.txt"))
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")


@dataclass(frozen=True)
class RobertaSizes:
    """Sizes of a RoBERTa; RoBERTa-base by default."""

    layers: int = 12
    width: int = 768
    inner: int = 3072
    """Channels between the two halves of a feed-forward block."""
    vocabulary: int = 50_265
    positions: int = 514
    """Two more than tokens can be read: positions start at the padding's number plus one."""


def weight_shapes(sizes: RobertaSizes) -> dict[str, tuple[int, ...]]:
    """Names and shapes of its weights, as transformers calls them."""
    d, inner = sizes.width, sizes.inner
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (sizes.vocabulary, d),
        "embeddings.position_embeddings.weight": (sizes.positions, d),
        "embeddings.token_type_embeddings.weight": (1, d),
    }
    linear = {"pooler.dense": (d, d)}
    norms = ["embeddings.LayerNorm"]
    for number in range(sizes.layers):
        layer = f"encoder.layer.{number}"
        linear |= {f"{layer}.attention.self.{part}": (d, d) for part in ("query", "key", "value")}
        linear |= {f"{layer}.attention.output.dense": (d, d)}
        linear |= {f"{layer}.intermediate.dense": (inner, d), f"{layer}.output.dense": (d, inner)}
        norms += [f"{layer}.attention.output.LayerNorm", f"{layer}.output.LayerNorm"]
    for name, shape in linear.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    for name in norms:
        shapes |= {f"{name}.weight": (d,), f"{name}.bias": (d,)}
    return shapes


def find_roberta(folder: Path | None = None, *, needs_weights: bool = True) -> Path:
    """The folder that holds RoBERTa-base: the one named, or a copy in the Hugging Face hub's cache; nothing is fetched.

    Args:
        folder: Where to look instead of the cache.
        needs_weights: Off where they come from elsewhere; settings and tokenizer are needed in any case.

    Raises:
        MissingPart: It is nowhere.
    """
    home = Path(os.environ.get("HF_HOME", Path.home() / ".cache" / "huggingface"))
    hub = Path(os.environ.get("HF_HUB_CACHE", home / "hub"))
    candidates = [copy for name in _HUB_NAMES for copy in sorted((hub / name / "snapshots").glob("*"))]
    for candidate in candidates if folder is None else [folder]:
        if not _lacking(candidate, needs_weights):
            return candidate
    place = hub if folder is None else folder
    lacking = ", ".join(_lacking(place, needs_weights)) if folder is not None else "no complete copy of roberta-base"
    raise MissingPart(
        f"the text model RoBERTa-base is not in {place}: {lacking}; fetch it once with 'hf download FacebookAI/roberta-base'"
    )


def _lacking(folder: Path, needs_weights: bool) -> list[str]:
    """What a folder does not have; one of several files that would do counts."""
    lacking = [] if (folder / "config.json").is_file() else ["no config.json"]
    if not any(all((folder / name).is_file() for name in names) for names in _TOKENIZERS):
        lacking.append("no tokenizer.json (or vocab.json and merges.txt)")
    if needs_weights and not any((folder / name).is_file() for name in _WEIGHTS):
        lacking.append("no model.safetensors (or pytorch_model.bin)")
    return lacking


class Roberta:
    """Token states of RoBERTa-base, 768 channels, case kept; each sentence is read alone, so no other one changes its states.

    Args:
        folder: With ``config.json``, the tokenizer's files and the weights; found by :func:`find_roberta` by default.
        weights: Weights to use instead of the folder's: the ``.text.safetensors`` of a converted checkpoint.
        device: Where to compute and where the states lie.
        remember: States of this many sentences are kept.

    Raises:
        BackendUnavailable: The package transformers is not installed.
        MissingPart: The model, or a part of it, is not there.
        CorruptFile: A file of it cannot be read, or its tokenizer has another vocabulary.
        DataError: The weights are those of another model; lists the differences.
    """

    name = "roberta"

    def __init__(
        self,
        folder: Path | None = None,
        *,
        weights: Path | None = None,
        device: str | torch.device = "cpu",
        remember: int = 4096,
    ) -> None:
        try:
            import transformers
        except ImportError as error:
            raise BackendUnavailable(
                f"the text encoder roberta needs transformers ({error}); pip install 'trisparse[roberta]'"
            ) from error
        if weights is not None and not weights.is_file():
            raise MissingPart(f"{weights}: no such file; expected weights of RoBERTa (.safetensors)")
        place = find_roberta(folder, needs_weights=weights is None)
        config = _config(place / "config.json", transformers)
        self._tokenizer = _tokenizer(place, config, transformers)
        with torch.random.fork_rng(devices=[]):
            self._model: Any = transformers.RobertaModel(config, add_pooling_layer=False)
        _load(
            self._model,
            next(place / name for name in _WEIGHTS if (place / name).is_file()) if weights is None else weights,
        )
        self._model.eval().requires_grad_(False).to(device)
        self.width = int(config.hidden_size)
        # Positions start behind the number of the padding token.
        self._longest = int(config.max_position_embeddings - config.pad_token_id - 1)
        self._device = torch.device(device)
        self._known: OrderedDict[str, Float[Tensor, "l d"]] = OrderedDict()
        self._remember = remember

    def encode(self, sentences: Sequence[str]) -> TokenStates:
        """Last hidden states of some sentences; the first token is the sentence's own.

        Raises:
            InvalidInput: A sentence without words, or of more than 512 tokens.
        """
        for sentence in dict.fromkeys(sentences):
            if sentence not in self._known:
                self._known[sentence] = self._states(self._tokens(sentence))
            self._known.move_to_end(sentence)
        rows = [self._known[sentence] for sentence in sentences]
        while len(self._known) > self._remember:
            self._known.popitem(last=False)
        return TokenStates.padded(rows)

    def _tokens(self, sentence: str) -> Int64[Tensor, "l"]:
        ids = self._tokenizer(sentence, truncation=False, verbose=False)["input_ids"]
        if len(ids) <= 2 or not sentence.strip():
            raise InvalidInput(f"the sentence {sentence!r} has no words; describe the object to find")
        if len(ids) > self._longest:
            raise InvalidInput(
                f"the sentence has {len(ids)} tokens, the text model reads at most {self._longest}; it starts {sentence[:60]!r}"
            )
        return torch.tensor(ids, device=self._device)

    @torch.no_grad()
    def _states(self, ids: Int64[Tensor, "l"]) -> Float[Tensor, "l d"]:
        return self._model(input_ids=ids[None], attention_mask=torch.ones_like(ids)[None]).last_hidden_state[0]


def _config(path: Path, transformers: Any) -> Any:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(values, dict) or values.get("model_type") != "roberta":
            raise CorruptFile(path, "model_type", "not the settings of a RoBERTa; name the folder of roberta-base")
        return transformers.RobertaConfig.from_dict(values)
    except (ValueError, TypeError, RecursionError) as error:
        if isinstance(error, DataError):
            raise
        raise CorruptFile(path, "whole file", f"no settings of a RoBERTa: {error}") from error


def _tokenizer(place: Path, config: Any, transformers: Any) -> Any:
    try:
        tokenizer = transformers.RobertaTokenizerFast.from_pretrained(str(place), local_files_only=True)
    except Exception as error:  # the package raises nothing narrower
        raise CorruptFile(place, "tokenizer", f"it cannot be read: {error}") from error
    # Where its files cannot be used, transformers may quietly make a tokenizer of the five special tokens alone.
    if len(tokenizer) != config.vocab_size or tokenizer.pad_token_id != config.pad_token_id:
        raise CorruptFile(
            place,
            "tokenizer",
            f"{len(tokenizer)} entries with padding {tokenizer.pad_token_id}, the model has {config.vocab_size} with "
            f"{config.pad_token_id}; fetch tokenizer.json, vocab.json and merges.txt again",
        )
    return tokenizer


def _load(model: torch.nn.Module, path: Path) -> None:
    try:
        if path.suffix == ".safetensors":
            tensors = load_file(path)
        else:
            with warnings.catch_warnings():  # of old pickles
                warnings.simplefilter("ignore")
                tensors = dict(torch.load(path, map_location="cpu", weights_only=True))
            if not all(isinstance(name, str) and isinstance(value, Tensor) for name, value in tensors.items()):
                raise TypeError("expected tensors by name")
    except UNREADABLE as error:
        raise CorruptFile(
            path, "content", f"no weights: {str(error).splitlines()[0] if str(error) else error!r}"
        ) from error
    if any(name.startswith("roberta.") for name in tensors):  # saved with a head for another task
        tensors = {name.removeprefix("roberta."): t for name, t in tensors.items() if name.startswith("roberta.")}
    unused = ("pooler.", "embeddings.position_ids", "embeddings.token_type_ids")
    tensors = {name: value for name, value in tensors.items() if not name.startswith(unused)}
    problems = differences({name: tuple(value.shape) for name, value in model.state_dict().items()}, tensors)
    if problems:
        raise DataError(f"{path}: weights of another text model; {'; '.join(problems)}")
    model.load_state_dict(tensors)
