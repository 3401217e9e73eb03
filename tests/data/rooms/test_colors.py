"""Names of colours."""

import numpy as np
from trisparse.data.rooms.colors import PALETTE, may_be_confused, nearest_names, sample_color, shade


def test_every_shade_has_its_own_name() -> None:
    names = list(PALETTE)
    for place, name in enumerate(names):
        assert set(nearest_names(np.array(PALETTE[name]))) == {place}


def test_sampled_and_slightly_darkened_shades_keep_their_name_or_one_that_people_mix_up() -> None:
    names, rng = list(PALETTE), np.random.default_rng(0)
    for name in names:
        samples = np.array([shade(sample_color(name, rng), factor) for factor in (0.9, 1.0) for _ in range(50)])
        found = [names[place] for place in nearest_names(samples)]
        assert np.mean([other == name for other in found]) > 0.85
        assert all(may_be_confused(name, other) for other in found)


def test_no_colour_gets_no_name() -> None:
    assert len(nearest_names(np.zeros((0, 3)))) == 0
