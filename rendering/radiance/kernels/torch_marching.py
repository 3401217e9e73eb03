"""Marching rays through an occupancy grid in plain torch: all rays take one step at a time."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from ..contraction import Contraction, contract


class March(NamedTuple):
    """Rays, and what they are marched through."""

    origins: Float[Tensor, "r 3"]
    directions: Float[Tensor, "r 3"]
    t_min: Float64[Tensor, "r"]
    t_max: Float64[Tensor, "r"]
    aabb: Float[Tensor, "6"]
    contraction: Contraction
    occupied: Bool[Tensor, "x y z"]
    occupied_blocks: Bool[Tensor, "a b c"]
    """For those who skip many cells at once; see :class:`trisparse.rendering.radiance.occupancy.OccupancyGrid`."""
    step: float
    cone_angle: float


class Marched(NamedTuple):
    """Packed intervals, see :class:`trisparse.rendering.radiance.samples.RaySamples`."""

    t_starts: Float64[Tensor, "s"]
    t_ends: Float64[Tensor, "s"]
    ray_indices: Int64[Tensor, "s"]


def why_unusable(device: torch.device) -> str | None:
    """Runs everywhere."""
    return None


def march(task: March) -> Marched:
    """See :func:`trisparse.rendering.radiance.marching.march`. Distances are double precision throughout."""
    origins, directions, aabb = task.origins.double(), task.directions.double(), task.aabb.double()
    rays = torch.arange(len(origins), device=origins.device)
    middle = task.t_min + _step(task.t_min, task) / 2
    start, end = task.t_min, task.t_min + _step(task.t_min, task)
    found = [Marched(start[:0], start[:0], rays[:0])]
    while True:
        going = middle < task.t_max[rays]
        rays, start, end, middle = rays[going], start[going], end[going], middle[going]
        if not len(rays):
            break
        points = origins[rays] + middle[:, None] * directions[rays]
        is_hit = _occupied(points, aabb, task)
        found.append(Marched(start[is_hit], end[is_hit], rays[is_hit]))
        skipped = middle + _skip(points, directions[rays], task.t_max[rays] - middle, aabb, task)
        next_end = end + _step(end, task)
        if task.contraction == "aabb":
            half = _step(skipped, task) / 2
            start, end = torch.where(is_hit, end, skipped - half), torch.where(is_hit, next_end, skipped + half)
            middle = torch.where(is_hit, (start + end) / 2, skipped)
        else:
            start, end = end, next_end
            middle = (start + end) / 2
    columns = [torch.cat(parts) for parts in zip(*found, strict=True)]
    order = columns[2].argsort(stable=True)
    return Marched(*(column[order] for column in columns))


def _step(distance: Tensor, task: March) -> Tensor:
    return (distance * task.cone_angle).clamp_min(task.step)


def _occupied(points: Tensor, aabb: Tensor, task: March) -> Tensor:
    shape = torch.tensor(task.occupied.shape, device=points.device)
    unit = contract(points, aabb, task.contraction)
    cell = torch.minimum((unit * shape).long().clamp_min(0), shape - 1)
    hit = task.occupied[cell[:, 0], cell[:, 1], cell[:, 2]]
    if task.contraction == "aabb":
        hit = hit & (points >= aabb[:3]).all(1) & (points <= aabb[3:]).all(1)
    return hit


def _skip(points: Tensor, directions: Tensor, left: Tensor, aabb: Tensor, task: March) -> Tensor:
    """How far it is out of the cell, in whole steps, at least one; not beyond what is left by more than a step."""
    shape, size = torch.tensor(task.occupied.shape, device=points.device), aabb[3:] - aabb[:3]
    inside = (points - aabb[:3]) / size * shape
    edge = torch.floor(inside + 0.5 + 0.5 * torch.sign(directions)) - inside
    distance = edge / directions / shape * size
    distance = torch.where(directions == 0, torch.inf, distance).amin(1).clamp_min(0)
    return torch.minimum(distance, left).div(task.step).ceil().clamp_min(1) * task.step
