from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from trisparse.core.errors import InvalidInput
from trisparse.data.still_life import things
from trisparse.data.still_life.casting import is_inside
from trisparse.data.still_life.gather import gather
from trisparse.data.still_life.render import photograph
from trisparse.data.still_life.rigs import Lens, usual_cameras
from trisparse.data.still_life.scene import make_still_life
from trisparse.data.still_life.solids import Kind, ball
from trisparse.data.still_life.table import TOP

from .unit_solids import MATTE

KINDS = ("table", "object", "courtyard")


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_makes_the_same_scene_again_and_another_seed_another(kind: str) -> None:
    assert make_still_life(7, kind) == make_still_life(7, kind)
    assert make_still_life(7, kind).solids != make_still_life(8, kind).solids


def test_seeds_are_those_of_their_kind() -> None:
    assert {make_still_life(1, kind).name for kind in KINDS} == {"table0001", "object0001", "courtyard0001"}


@pytest.mark.parametrize("kind", KINDS)
def test_scenes_are_made_of_sound_solids_above_the_floor(kind: str) -> None:
    for seed in range(5):
        scene = make_still_life(seed, kind)
        assert 60 < len(scene.solids) < 1500
        assert len({solid.kind for solid in scene.solids}) >= 4
        for solid in scene.solids:
            turn = np.array(solid.rotation)
            np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-9)
            assert min(solid.half) > 0
            assert np.array(solid.material.colors).min() >= 0
            assert np.array(solid.material.colors).max() <= 1
            assert solid.is_backdrop or solid.bounds()[0][2] > -1.3  # roofs and gables sink into walls, nothing else
            if solid.kind == Kind.TORUS:
                assert solid.half[0] == solid.half[1] == solid.half[2]
                assert 0 < solid.shape < 1


@pytest.mark.parametrize("kind", KINDS)
def test_usual_cameras_stand_in_the_open(kind: str) -> None:
    for seed in range(4):
        scene = make_still_life(seed, kind)
        centers = usual_cameras(scene, 12).centers.numpy()
        assert not is_inside(scene.arrays[0], centers).any()
        assert centers[:, 2].min() > 0.2


@pytest.mark.parametrize("kind", KINDS)
def test_photos_have_texture_for_matching_nearly_everywhere(kind: str) -> None:
    """In patches of 8 x 8 pixels of the subject, brightness varies beside what rounding to 8 bits hides."""
    scene = make_still_life(3, kind)
    photo = photograph(scene, usual_cameras(scene, 3, Lens(320, 240)))
    gray = photo.images.mean(-1)[:, None]
    patches = torch.nn.functional.unfold(gray, 8, stride=8).std(1)
    covered = torch.nn.functional.unfold(photo.alpha[:, None], 8, stride=8).amin(1) == 1
    assert (patches[covered] > 0.012).float().mean() > 0.93
    assert 0.25 < gray[photo.alpha[:, None] == 1].mean() < 0.65
    assert (photo.images[photo.alpha == 1] >= 1).all(-1).float().mean() < 0.02


def test_a_white_background_takes_away_the_backdrop_alone() -> None:
    whole, bare = make_still_life(4, "table"), make_still_life(4, "table", background="white")
    assert whole.has_backdrop
    assert not bare.has_backdrop
    assert bare.solids == tuple(solid for solid in whole.solids if not solid.is_backdrop)
    assert not make_still_life(4, "object").has_backdrop
    assert make_still_life(4, "object", background="scene").has_backdrop


def test_the_subject_lies_about_the_centre() -> None:
    for kind in KINDS:
        scene = make_still_life(6, kind, background="white")
        centers = np.array([solid.center for solid in scene.solids])
        away = np.sqrt(((centers - np.array(scene.center)) ** 2).sum(1))
        assert (away < 1.3 * scene.radius).mean() > 0.9


@pytest.mark.parametrize("seed", range(6))
def test_every_thing_that_is_chosen_finds_a_place_on_the_table(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Things are replaced by balls of nine sizes, which can be counted and measured."""
    radii = [0.05 + 0.005 * k for k in range(9)]
    balls = [ball((0.0, 0.0, radius), radius, MATTE) for radius in radii]
    monkeypatch.setattr(things, "ALL", tuple((lambda rng, one=one: (one,)) for one in balls))
    solids = make_still_life(seed, "table", background="white").solids
    laid = [solid for solid in solids if solid.kind == Kind.ELLIPSOID]
    assert 6 <= len(laid) <= 9
    for k, one in enumerate(laid):
        assert one.bounds()[0][2] == pytest.approx(TOP + 0.0045)
        assert abs(one.center[0]) < 0.62
        assert abs(one.center[1]) < 0.4
        for other in laid[k + 1 :]:
            assert math.dist(one.center[:2], other.center[:2]) > one.half[0] + other.half[0]


def test_backdrop_comes_first_in_the_arrays_only_if_it_is_a_shell() -> None:
    scene = make_still_life(4, "table")
    solids, materials = gather(scene.solids)
    assert solids.n_shell == sum(solid.is_shell for solid in scene.solids) == 6
    assert len(solids.kind) == len(materials.seed) == len(scene.solids)
    assert int(solids.count.sum()) == len(scene.solids) - 6


@pytest.mark.parametrize(
    ("kind", "background", "words"), [("garden", None, "choose from table"), ("table", "black", "scene or white")]
)
def test_other_kinds_and_backgrounds_are_refused(kind: str, background: str | None, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        make_still_life(0, kind, background=background)


def test_a_scene_without_extent_is_refused() -> None:
    with pytest.raises(InvalidInput, match="radius"):
        replace(make_still_life(0), radius=0.0)
