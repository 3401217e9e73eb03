"""What is drawn from a recording."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from trisparse.core.errors import InvalidInput
from trisparse.data.event_camera import EventCamera
from trisparse.events.bayer import bayer_channels
from trisparse.pipelines.event_nerf.samples import pixel_plane, prepare_events

from .tiny_recording import recording


def test_samples_are_pairs_of_events_at_a_pixel() -> None:
    posed = recording().posed()
    stream = posed.stream
    found = prepare_events(posed)
    pixels = np.unique(stream.y.astype(int) * stream.width + stream.x)
    assert len(found.singles) == len(stream) - len(pixels)  # an ideal sensor has no two events of one time at a pixel
    batch = found.singles.take(np.arange(len(found.singles)))
    rows = found.singles.rows
    assert bool((batch.t_previous < batch.t_event).all())
    assert torch.equal(batch.n_positive + batch.n_negative, torch.ones_like(batch.n_positive))
    assert torch.equal(batch.n_positive > 0, torch.from_numpy(stream.polarity[rows] > 0))
    channels = bayer_channels(stream.x[rows], stream.y[rows], "RGGB").astype(np.int64)
    assert torch.equal(batch.channel, torch.from_numpy(channels))
    K = posed.camera.K
    pixel = batch.plane @ K[:2, :2].mT + K[:2, 2]
    expected = torch.from_numpy(np.stack([stream.x[rows], stream.y[rows]], 1) + 0.5)
    torch.testing.assert_close(pixel, expected, rtol=0, atol=1e-4)


def test_windows_count_the_events_in_between() -> None:
    found = prepare_events(recording().posed(), window_length=3)
    assert found.windows is not None
    batch = found.windows.take(np.arange(len(found.windows)))
    assert torch.equal(batch.n_positive + batch.n_negative, torch.full_like(batch.n_positive, 3))
    assert len(found.windows) < len(found.singles)


def test_a_share_of_the_events_is_drawn_by_the_seed() -> None:
    posed = recording().posed()
    half, again, other = (prepare_events(posed, share=0.5, seed=seed).singles.rows for seed in (0, 0, 1))
    assert len(half) == round(0.5 * len(prepare_events(posed).singles))
    assert np.array_equal(half, again)
    assert not np.array_equal(half, other)


def test_one_noisy_pixel_bounds_the_refractory_period_of_all_unless_a_quantile_is_taken() -> None:
    posed = recording("medium").posed()
    stream = posed.stream
    t = stream.t_ns.copy()
    same = (stream.x == stream.x[-1]) & (stream.y == stream.y[-1])
    noisy = int(np.flatnonzero(same)[0])
    later = np.searchsorted(t, t[noisy] + 5)
    parts = [np.insert(getattr(stream, name), later, getattr(stream, name)[noisy]) for name in ("x", "y", "polarity")]
    times = np.insert(t, later, t[noisy] + 5)
    spoilt = replace(posed, stream=type(stream)(parts[0], parts[1], times, parts[2], stream.height, stream.width))
    assert prepare_events(spoilt).largest_refractory_period_ns == 5
    robust = prepare_events(spoilt, refractory_period_ns=8e6, refractory_quantile=0.05)
    assert robust.largest_refractory_period_ns >= 8_000_000
    assert any("should have slept" in note for note in robust.notes)


def test_a_strong_fisheye_leaves_out_pixels_without_a_ray() -> None:
    K = torch.tensor([[4.0, 0, 12], [0, 4, 12], [0, 0, 1]], dtype=torch.float64)
    camera = EventCamera(K, 24, 24, "fisheye", torch.zeros(4, dtype=torch.float64))
    plane = pixel_plane(camera)
    assert np.isfinite(plane[12, 12]).all()


def test_a_stream_in_which_no_pixel_fires_twice_is_refused() -> None:
    posed = recording().posed()
    with pytest.raises(InvalidInput, match="no pixel fired twice"):
        prepare_events(replace(posed, stream=posed.stream[:1]))
