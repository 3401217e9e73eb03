"""LPIPS with made-up weights, for which the original implementation gave the recorded distances."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from trisparse.core.errors import CorruptFile, InvalidInput, MissingPart, ShapeMismatch
from trisparse.rendering.lpips import Lpips, why_no_lpips

SHAPES = {
    "vgg": {
        number: (out, inside, 3, 3)
        for number, out, inside in [
            *[(0, 64, 3), (2, 64, 64), (5, 128, 64), (7, 128, 128), (10, 256, 128), (12, 256, 256), (14, 256, 256)],
            *[(17, 512, 256), (19, 512, 512), (21, 512, 512), (24, 512, 512), (26, 512, 512), (28, 512, 512)],
        ]
    },
    "alex": {
        0: (64, 3, 11, 11),
        3: (192, 64, 5, 5),
        6: (384, 192, 3, 3),
        8: (256, 384, 3, 3),
        10: (256, 256, 3, 3),
    },
}
COMPARED = {"vgg": (64, 128, 256, 512, 512), "alex": (64, 192, 384, 256, 256)}
FILES = {"vgg": "vgg16-397923af.pth", "alex": "alexnet-owt-7be5be79.pth"}


def sines(shape: tuple[int, ...], step: float, start: float, factor: float) -> Tensor:
    """Weights that any program can make."""
    n = torch.Size(shape).numel()
    return (factor * (torch.arange(n, dtype=torch.float64) * step + start).sin()).float().reshape(shape)


def states(net: str) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """What the two files hold."""
    features = {}
    for place, (number, shape) in enumerate(SHAPES[net].items()):
        fan_in = shape[1] * shape[2] * shape[3]
        features[f"features.{number}.weight"] = sines(shape, 0.7, 2 * place * 0.9, (3 / fan_in) ** 0.5)
        features[f"features.{number}.bias"] = sines(shape[:1], 0.7, (2 * place + 1) * 0.9, 0.1)
    own = {f"lin{i}.model.1.weight": sines((1, c, 1, 1), 0.3, i, 0.1).abs() for i, c in enumerate(COMPARED[net])}
    return features, own


def image(seed: int, height: int = 40, width: int = 47) -> Tensor:
    """Colours that any program can make."""
    return 0.5 + sines((height, width, 3), 0.37 * (1 + seed * 0.01), 0, 0.5)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any weights: torch's hub folder is in ``hub``, packages are looked for in ``packages``."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(
        "importlib.util.find_spec",
        lambda name: type("Spec", (), {"submodule_search_locations": [str(tmp_path / "packages" / name)]}),
    )
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    return tmp_path


def install(place: Path, net: str, package: str = "lpips") -> tuple[Path, Path]:
    """Put both files where they belong."""
    folder = {"lpips": "weights/v0.1", "torchmetrics": "functional/image/lpips_models"}[package]
    paths = place / "hub" / "checkpoints" / FILES[net], place / "packages" / package / folder / f"{net}.pth"
    for path, state in zip(paths, states(net), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(state, path)
    return paths


@pytest.mark.parametrize(
    ("net", "is_rescaled", "expected"),
    [
        ("vgg", False, 0.12517070770263672),
        ("vgg", True, 0.14448808133602142),
        ("alex", False, 0.07687024772167206),
        ("alex", True, 0.10629494488239288),
    ],
)
def test_distances_are_those_of_the_original_implementation(
    place: Path, net: Any, is_rescaled: bool, expected: float
) -> None:
    install(place, net)
    lpips = Lpips.load(net, is_rescaled=is_rescaled)
    assert lpips(image(0), image(1)) == pytest.approx(expected, rel=1e-4)
    assert lpips(image(1), image(1)) == 0
    assert lpips(image(0).double(), image(1).double()) == pytest.approx(expected, rel=1e-4)


def test_the_weights_of_torchmetrics_do_as_well(place: Path) -> None:
    install(place, "alex", "torchmetrics")
    assert why_no_lpips("alex") is None
    assert Lpips.load("alex")(image(0), image(1)) > 0


def test_nothing_is_downloaded_and_what_is_missing_is_said(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("something was downloaded")

    monkeypatch.setattr("torch.hub.download_url_to_file", refuse)
    monkeypatch.setattr("socket.socket.connect", refuse)
    reason = why_no_lpips("vgg")
    assert reason is not None
    assert "vgg16-397923af.pth" in reason
    assert str(place / "hub" / "checkpoints") in reason
    with pytest.raises(MissingPart, match="nothing is downloaded"):
        Lpips.load("vgg")
    _, own = install(place, "alex")
    own.unlink()
    with pytest.raises(MissingPart, match="package lpips or torchmetrics; install one of them"):
        Lpips.load("alex")


def test_packages_that_are_not_installed_are_no_error(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(place, "alex")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    reason = why_no_lpips("alex")
    assert reason is not None
    assert "package lpips" in reason


@pytest.mark.parametrize("which", [0, 1])
def test_files_that_hold_something_else_are_refused(place: Path, which: int) -> None:
    path = install(place, "alex")[which]
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(CorruptFile, match=r"\.pth: file: no weights of torch"):
        Lpips.load("alex")
    torch.save({"features.0.weight": torch.zeros(3)}, path)
    with pytest.raises(CorruptFile, match=r"no tensor of \d dimensions is there"):
        Lpips.load("alex")
    torch.save([1, 2], path)
    with pytest.raises(CorruptFile, match="no tensor of"):
        Lpips.load("alex")


def test_wrong_images_and_networks_are_refused(place: Path) -> None:
    install(place, "alex")
    lpips = Lpips.load("alex")
    with pytest.raises(InvalidInput, match="31 x 40 pixels; LPIPS needs at least 32 x 32"):
        lpips(image(0, 40, 31), image(1, 40, 31))
    with pytest.raises(ShapeMismatch, match="expected the same"):
        lpips(image(0), image(0, 47, 40))
    with pytest.raises(Exception, match="squeeze"):
        why_no_lpips("squeeze")  # type: ignore[arg-type]
