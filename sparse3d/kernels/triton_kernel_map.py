"""Kernel maps in Triton: a hash table of packed coordinates, with open addressing and linear probing.

Which slot a key gets depends on who comes first; which place is found under a key does not, since keys are unique.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import no_type_check

import torch
from jaxtyping import Int32, Int64
from torch import Tensor

from ..kernel_map import Matches
from .optional_triton import tl, triton
from .triton_conv import current_device

_BLOCK = 256
"""Keys a program takes: two a thread, so that no thread repeats another's atomic operation."""

_EMPTY = -1
"""In a slot without a key; keys are at least 0."""


@dataclass(frozen=True)
class _HashTable:
    """Keys and their places. At least half of the slots are empty, so that every search ends, mostly at once."""

    slots: Int64[Tensor, "h"]
    places: Int32[Tensor, "h"]
    shift: int
    """64 less the binary logarithm of the number of slots."""

    @classmethod
    def of(cls, keys: Int64[Tensor, "v"]) -> _HashTable:
        """The place of each key among some distinct keys; at least one of them."""
        bits = (2 * len(keys) - 1).bit_length()
        slots = torch.full((2**bits,), _EMPTY, dtype=torch.int64, device=keys.device)
        table = cls(slots, torch.empty(len(slots), dtype=torch.int32, device=keys.device), 64 - bits)
        with current_device(keys.device):
            insert_kernel[(-(-len(keys) // _BLOCK),)](
                keys, table.slots, table.places, len(keys), SHIFT=table.shift, EMPTY=_EMPTY, BLOCK=_BLOCK
            )
        return table

    def find(self, wanted: Int64[Tensor, "m"], steps: Int64[Tensor, "k"]) -> Int32[Tensor, "k m"]:
        """The place of each ``wanted + step``, -1 where there is no such key."""
        found = torch.empty(len(steps), len(wanted), dtype=torch.int32, device=wanted.device)
        blocks = -(-len(wanted) // _BLOCK)
        if found.numel():
            with current_device(wanted.device):
                find_kernel[(len(steps) * blocks,)](
                    *(self.slots, self.places, wanted, steps, found, len(wanted), blocks),
                    SHIFT=self.shift,
                    EMPTY=_EMPTY,
                    BLOCK=_BLOCK,
                )
        return found


@no_type_check
@triton.jit
def _first_slot(key, SHIFT: tl.constexpr):
    """Knuth's multiplicative hashing (The Art of Computer Programming, volume 3, section 6.4): the highest bits."""
    return ((key.to(tl.uint64) * 0x9E3779B97F4A7C15) >> SHIFT).to(tl.int64)


@no_type_check
@triton.jit
def insert_kernel(keys, slots, places, n, SHIFT: tl.constexpr, EMPTY: tl.constexpr, BLOCK: tl.constexpr):
    """Every key into the first slot that is free or has it already."""
    # Lanes beyond the last key insert it again; an atomic operation on a tensor takes no mask.
    place = tl.minimum(tl.program_id(0) * BLOCK + tl.arange(0, BLOCK), n - 1)
    key = tl.load(keys + place)
    slot = _first_slot(key, SHIFT)
    none = tl.full((BLOCK,), EMPTY, tl.int64)
    waits = (key != EMPTY).to(tl.int32)
    # Triton 3.2 fails to compile a reduction inside the condition of a loop.
    any_waits = tl.max(waits, 0)
    while any_waits > 0:
        # Lanes that are done meet their own key again.
        held = tl.atomic_cas(slots + slot, none, key)
        waits = ((held != EMPTY) & (held != key)).to(tl.int32)
        slot = (slot + waits) & ((1 << (64 - SHIFT)) - 1)
        any_waits = tl.max(waits, 0)
    tl.store(places + slot, place)


@no_type_check
@triton.jit
def find_kernel(
    slots, places, wanted, steps, found, n, blocks, SHIFT: tl.constexpr, EMPTY: tl.constexpr, BLOCK: tl.constexpr
):
    """Of one block of keys, moved by one step, the places; -1 where the search ends at an empty slot."""
    step = tl.program_id(0) // blocks
    query = tl.program_id(0) % blocks * BLOCK + tl.arange(0, BLOCK)
    exists = query < n
    key = tl.load(wanted + query, mask=exists, other=EMPTY) + tl.load(steps + step)
    slot = _first_slot(key, SHIFT)
    # No key is negative: a lane that has one, or none, is done.
    waits = (exists & (key >= 0)).to(tl.int32)
    hit = tl.zeros((BLOCK,), tl.int32)
    any_waits = tl.max(waits, 0)
    while any_waits > 0:
        held = tl.load(slots + slot, mask=waits > 0, other=EMPTY)
        hit += waits * (held == key).to(tl.int32)
        waits = waits * ((held != key) & (held != EMPTY)).to(tl.int32)
        slot = (slot + waits) & ((1 << (64 - SHIFT)) - 1)
        any_waits = tl.max(waits, 0)
    place = tl.load(places + slot, mask=hit > 0, other=-1)
    tl.store(found + step.to(tl.int64) * n + query, place, mask=exists)


def find_rows(
    keys: Int64[Tensor, "v"], order: Int64[Tensor, "v"], wanted: Int64[Tensor, "m"], step: int
) -> Int64[Tensor, "m"]:
    """``order`` at the place of ``wanted + step`` among the ``keys``, -1 where it is not among them."""
    places = _HashTable.of(keys).find(wanted.contiguous(), torch.tensor([step], device=keys.device))[0]
    return torch.where(places >= 0, order[places.clamp(min=0)], -1)


def match_keys(
    keys_in: Int64[Tensor, "v"], keys_out: Int64[Tensor, "w"], steps: Int64[Tensor, "k"], width_in: int, width_out: int
) -> Matches:
    """For each step all places (i, o) with ``keys_in[i] == keys_out[o] + step``; both lists of keys are sorted."""
    n_in, n_out = len(keys_in), len(keys_out)
    if n_in and n_out and len(steps):
        found = _HashTable.of(keys_in).find(keys_out, steps).view(-1)
    else:
        found = torch.full((len(steps) * n_out,), -1, dtype=torch.int32, device=keys_in.device)
    hits = (found >= 0).nonzero().flatten()
    places_in = found[hits]
    tap = hits // max(n_out, 1)
    # Both rise throughout: within a tap the places do, since a translation keeps the order of the keys.
    of_in, of_out = tap * n_in + places_in, hits
    return Matches(
        places_in,
        (hits - tap * n_out).int(),
        _run_starts(of_in, len(steps), n_in, width_in),
        _run_starts(of_out, len(steps), n_out, width_out),
    )


def _run_starts(places: Int64[Tensor, "m"], n_taps: int, n: int, width: int) -> Int64[Tensor, "k r"]:
    """Where the pairs of each tap's runs begin, and the end of the last, from ``tap * n + place`` of each pair."""
    limits = torch.arange(0, n + width, width, device=places.device).clamp_(max=n)
    taps = torch.arange(n_taps, device=places.device)
    return torch.searchsorted(places, taps[:, None] * n + limits)
