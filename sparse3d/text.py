"""Sentences to token states: frozen text encoders behind one protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..core.errors import InvalidInput, ShapeMismatch
from .text_normalize import Rules, normalize, squeeze
from .vocabulary import ObjectVocabulary


@dataclass(frozen=True, eq=False)
class TokenStates:
    """Token states of a batch of sentences; ``padding`` is True where there is no token."""

    states: Float[Tensor, "b l d"]
    padding: Bool[Tensor, "b l"]

    def __post_init__(self) -> None:
        if self.states.shape[:2] != self.padding.shape:
            raise ShapeMismatch(
                f"states {tuple(self.states.shape)} and padding {tuple(self.padding.shape)} do not agree"
            )

    @classmethod
    def padded(cls, rows: Sequence[Float[Tensor, "_ d"]]) -> TokenStates:
        """From the states of each sentence, zeros behind the shorter ones."""
        longest = max(len(row) for row in rows)
        states = rows[0].new_zeros(len(rows), longest, rows[0].shape[1])
        padding = torch.ones(len(rows), longest, dtype=torch.bool, device=rows[0].device)
        for number, row in enumerate(rows):
            states[number, : len(row)] = row
            padding[number, : len(row)] = False
        return cls(states, padding)

    def to(self, device: torch.device | str) -> TokenStates:
        """The same on another device."""
        return TokenStates(self.states.to(device), self.padding.to(device))


@runtime_checkable
class TextEncoder(Protocol):
    """A frozen text encoder."""

    name: str
    width: int
    """Channels of a token state."""

    def encode(self, sentences: Sequence[str]) -> TokenStates:
        """Token states; the first token of a sentence stands for the whole of it.

        Raises:
            InvalidInput: A sentence without words, or longer than the encoder reads.
        """
        ...


def load_text_encoder(
    name: str, *, folder: Path | None = None, weights: Path | None = None, device: str | torch.device = "cpu"
) -> TextEncoder:
    """A text encoder by name.

    Args:
        name: "minilm" (see ``trisparse setup``) or "roberta" (RoBERTa-base, through transformers).
        folder: With the model's files; each encoder knows where to look by default.
        weights: Weights of RoBERTa to use instead of the folder's (see :func:`~.checkpoint.text_weights_of`).
        device: Where to compute.

    Raises:
        InvalidInput: No encoder of that name, or weights for one that takes none.
        MissingPart: The model's files are not there.
        BackendUnavailable: The package it needs is not installed.
    """
    if name == "minilm":
        if weights is not None:
            raise InvalidInput(f"the text encoder minilm has its own weights; it cannot take {weights}")
        from .minilm import MiniLm

        return MiniLm(folder, device=device)
    if name == "roberta":
        from .roberta import Roberta

        return Roberta(folder, weights=weights, device=device)
    raise InvalidInput(f"no text encoder {name!r}; choose from minilm, roberta")


def prepare_sentence(sentence: str, vocabulary: ObjectVocabulary, *, dataset: Rules = "free") -> str:
    """What the network reads: the sentence by a data set's rules, with "This is an object . " before it where it names none.

    Raises:
        InvalidInput: No words in the sentence.
    """
    if not any(letter.isalnum() for letter in sentence):
        raise InvalidInput(f"the sentence {sentence!r} has no words; describe the object to find")
    text = normalize(sentence, dataset)
    if not vocabulary.names_an_object(text):
        text = f"This is an object . {text}"
    return squeeze(text.replace(",", " ,"))
