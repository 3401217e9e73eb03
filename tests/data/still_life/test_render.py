from __future__ import annotations

import math
from dataclasses import replace

import numba
import pytest
import torch
from trisparse.core.errors import InvalidInput
from trisparse.data.cameras import Cameras, pixel_centers
from trisparse.data.posed_images import PosedImages
from trisparse.data.rays import Rays
from trisparse.data.resample import sample_image, undistort_photos, undistortion_mask
from trisparse.data.still_life.render import Photographs, photograph, radiance, shown, trace
from trisparse.data.still_life.rigs import Lens, forward_facing, usual_cameras
from trisparse.data.still_life.scene import StillLife, make_still_life
from trisparse.data.still_life.solids import Kind, Pattern, Solid, ball, box, placed

from .unit_solids import MATTE, scene_of

FLOOR = box((-20, 20), (-20, 20), (-1, 0), MATTE)
SMALL = Lens(96, 72)


def matte(scene: StillLife) -> StillLife:
    """The scene without highlights."""
    return replace(scene, solids=tuple(replace(s, material=replace(s.material, gloss=0.0)) for s in scene.solids))


@pytest.fixture(scope="module", params=["table", "object", "courtyard"])
def scene(request: pytest.FixtureRequest) -> StillLife:
    """One scene of each kind, without highlights."""
    return matte(make_still_life(5, request.param))


@pytest.fixture(scope="module")
def cameras(scene: StillLife) -> Cameras:
    """Two neighbours."""
    return forward_facing(scene, 2, Lens(160, 120), spread=0.04)


@pytest.fixture(scope="module")
def photos(scene: StillLife, cameras: Cameras) -> Photographs:
    """What these see."""
    return photograph(scene, cameras, samples_per_pixel=16)


def test_depth_of_a_ball_is_what_geometry_says() -> None:
    scene = scene_of(ball((0, 0, 0), 1.0, MATTE))
    camera = forward_facing(scene, 1, Lens(101, 75))
    depth = photograph(scene, camera, samples_per_pixel=1).depth_z[0].double()
    rays = camera.rays()[0]
    along = -(rays.origins * rays.directions).sum(1)  # the centre is the origin
    missing = (rays.origins**2).sum(1) - along**2
    distance = torch.where(missing < 1, along - (1 - missing).clamp_min(0).sqrt(), torch.inf)
    expected = distance * (rays.directions @ camera.forwards[0])
    torch.testing.assert_close(depth.flatten(), expected, atol=1e-6, rtol=1e-6)
    assert depth[37, 50].item() == pytest.approx(3.0)


def test_depth_of_the_floor_grows_towards_the_horizon_as_geometry_says() -> None:
    scene = replace(scene_of(FLOOR), elevation=0.4)
    camera = forward_facing(scene, 1, SMALL)
    photo = photograph(scene, camera, samples_per_pixel=1)
    rays = camera.rays()[0]
    distance = rays.origins[:, 2] / -rays.directions[:, 2]
    at = rays.at(distance)
    on_floor = (distance > 0) & (at[:, :2].abs() < 20).all(1)
    seen = photo.depth_z[0].flatten().double()
    expected = distance * (rays.directions @ camera.forwards[0])
    torch.testing.assert_close(seen[on_floor], expected[on_floor], atol=1e-5, rtol=1e-6)
    assert on_floor.float().mean() > 0.6
    assert (photo.normals[0].reshape(-1, 3)[on_floor] == torch.tensor([0.0, 0, 1])).all()


def test_a_covered_place_gets_no_sun_and_less_sky() -> None:
    above = ball((0, 0, 0.6), 0.5, MATTE)
    down = Rays(torch.tensor([[0.0, 0, 0.05], [3.0, 0, 0.05]]).double(), torch.tensor([[0.0, 0, -1]] * 2).double())
    plain = replace(MATTE, colors=((0.6, 0.6, 0.6),) * 3, grain=0.0)
    scene = scene_of(replace(FLOOR, material=plain), above)
    under, aside = radiance(scene, down)
    white = torch.tensor(((0.6 + 0.055) / 1.055) ** 2.4)
    sun, sky = torch.tensor(scene.light.sun), torch.tensor(scene.light.sky)
    torch.testing.assert_close(aside.float(), white * (sun + sky), rtol=1e-4, atol=1e-4)
    assert (under < 0.9 * white * sky).all()
    assert (under > 0.1 * white * sky).all()
    without = radiance(replace(scene, solids=scene.solids[:1]), down)
    torch.testing.assert_close(without[0], without[1], rtol=1e-4, atol=1e-4)


def test_the_shadow_lies_where_the_sun_puts_it() -> None:
    """A ball of radius 0.5 at height 2 under a sun at 45 degrees: its shadow's middle is 2 m away."""
    scene = scene_of(FLOOR, ball((0, 0, 2), 0.5, MATTE), towards_sun=(1.0, 0.0, 1.0))
    x = torch.linspace(-4, 4, 801).double()
    origins = torch.stack([x, torch.zeros_like(x), torch.full_like(x, 0.5)], 1)
    lit = radiance(scene, Rays(origins, torch.tensor([[0.0, 0, -1]]).double().expand(801, 3))).sum(1)
    bright = radiance(replace(scene, solids=scene.solids[:1]), Rays(origins, -torch.eye(3)[2].double().expand(801, 3)))
    dark = x[lit < 0.75 * bright.sum(1)]
    assert dark.min().item() == pytest.approx(-2 - 0.5 * math.sqrt(2), abs=0.02)
    assert dark.max().item() == pytest.approx(-2 + 0.5 * math.sqrt(2), abs=0.02)


def test_a_shell_throws_no_shadow() -> None:
    ceiling = box((-9, 9), (-9, 9), (3, 3.1), MATTE)
    down = Rays(torch.tensor([[0.0, 0, 1]]).double(), torch.tensor([[0.0, 0, -1]]).double())
    bare, dark = radiance(scene_of(FLOOR), down), radiance(scene_of(FLOOR, ceiling), down)
    roofed = radiance(scene_of(FLOOR, replace(ceiling, is_shell=True)), down)
    assert (dark < 0.6 * bare).all()
    torch.testing.assert_close(roofed, bare)


def test_a_glossy_ball_shines_only_towards_the_mirrored_sun() -> None:
    shiny = replace(MATTE, gloss=0.5)
    balls = [scene_of(ball((0, 0, 0), 1.0, look), towards_sun=(0, -1, 1)) for look in (MATTE, shiny)]
    pictures = [photograph(one, forward_facing(one, 1, SMALL)).images[0] for one in balls]
    more = (pictures[1] - pictures[0]).sum(-1)
    assert more.min() > -1e-6
    assert 0.002 < (more > 0.1).float().mean() < 0.1
    row, _ = divmod(int(more.argmax()), 96)
    assert row < 36  # above the middle: half way between the sun and the camera


def test_from_within_a_ball_its_wall_is_seen_all_around() -> None:
    scene = scene_of(ball((0, -4, 0), 0.25, MATTE))  # the camera stands at (0, -4, 0)
    photo = photograph(scene, forward_facing(scene, 1, SMALL), samples_per_pixel=1)
    camera = forward_facing(scene, 1, SMALL)
    cosine = camera.rays()[0].directions @ camera.forwards[0]
    torch.testing.assert_close(photo.depth_z[0].flatten().double(), 0.25 * cosine, atol=1e-6, rtol=1e-6)
    assert (photo.alpha == 1).all()
    assert photo.images.isfinite().all()


def test_no_camera_takes_no_photo(scene: StillLife) -> None:
    photo = photograph(scene, usual_cameras(scene, 0, SMALL))
    assert [tuple(part.shape) for part in (photo.images, photo.alpha, photo.depth_z)] == [
        (0, 72, 96, 3),
        (0, 72, 96),
        (0, 72, 96),
    ]


def test_no_solid_gives_a_white_photo_and_white_light() -> None:
    scene = scene_of()
    photo = photograph(scene, forward_facing(scene, 1, SMALL))
    assert (photo.images == 1).all()
    assert not photo.alpha.any()
    assert photo.depth_z.isinf().all()
    assert not photo.normals.any()
    rays = forward_facing(scene, 1, SMALL).rays()[0]
    torch.testing.assert_close(shown(scene, radiance(scene, rays)), torch.ones(len(rays), 3).double())
    assert len(radiance(scene, rays[:0])) == 0


@pytest.mark.parametrize("n", [0, -4, 2, 8])
def test_samples_that_make_no_square_are_refused(n: int) -> None:
    scene = scene_of(FLOOR)
    with pytest.raises(InvalidInput, match="square number"):
        photograph(scene, forward_facing(scene, 1, SMALL), samples_per_pixel=n)


def test_a_pixel_is_the_mean_over_its_area() -> None:
    """A white half plane that covers a known share of a column of pixels."""
    plain = replace(MATTE, colors=((0.5, 0.5, 0.5),) * 3, grain=0.0)
    wall = Solid(Kind.BOX, (0.0, 0.0, 0.0), (1.0, 0.01, 3.0), plain)
    scene = scene_of(wall)
    camera = forward_facing(scene, 1, Lens(64, 48))
    edges = camera.project(torch.tensor([[-1.0, -0.01, 0], [1.0, -0.01, 0]]).double()).pixels[0, :, 0]
    alpha = photograph(scene, camera, samples_per_pixel=64).alpha[0, 24].double()
    x = torch.arange(64).double()
    expected = (torch.minimum(x + 1, edges[1]) - torch.maximum(x, edges[0])).clamp(0, 1)
    assert ((expected > 0) & (expected < 1)).sum() == 2
    torch.testing.assert_close(alpha, expected, atol=1 / 64, rtol=0)


def test_the_same_bits_come_from_any_number_of_threads() -> None:
    scene = make_still_life(2, "table")
    cameras = usual_cameras(scene, 2, SMALL)
    before, pictures = numba.get_num_threads(), []
    torch_before = torch.get_num_threads()
    try:
        for n in (1, 2, 3):
            torch.set_num_threads(n)
            numba.set_num_threads(min(n, before))
            pictures.append(photograph(make_still_life(2, "table"), cameras))
    finally:
        numba.set_num_threads(before)
        torch.set_num_threads(torch_before)
    for other in pictures[1:]:
        for name, part in vars(pictures[0]).items():
            assert torch.equal(part, getattr(other, name)), name


def test_photos_in_one_call_are_those_of_calls_one_by_one(scene: StillLife) -> None:
    cameras = usual_cameras(scene, 3, SMALL)
    narrow = cameras.K[1] * torch.tensor([[1.3], [1.3], [1.0]])
    wide = replace(cameras, K=torch.stack([cameras.K[0], narrow, cameras.K[2]]))
    together = photograph(scene, wide, samples_per_pixel=1)
    for row in range(3):
        alone = photograph(scene, wide[row], samples_per_pixel=1)
        assert torch.equal(together.images[row], alone.images[0])
        assert torch.equal(together.depth_z[row], alone.depth_z[0])


def test_light_along_the_rays_of_pixels_is_the_photo_of_one_sample(scene: StillLife) -> None:
    camera = usual_cameras(scene, 1, SMALL)
    photo = photograph(scene, camera, samples_per_pixel=1)
    colors = shown(scene, radiance(scene, camera.rays()[0]))
    off = (photo.images[0].reshape(-1, 3) - colors.float()).abs().amax(1)
    assert (off > 1e-5).sum() <= 3  # rounding may put a ray on the other side of an edge


def test_every_pixel_of_a_scene_with_backdrop_shows_something(scene: StillLife, photos: Photographs) -> None:
    if scene.has_backdrop:
        assert (photos.alpha == 1).all()
        assert photos.depth_z.isfinite().all()
    else:
        assert 0.2 < photos.alpha.mean() < 0.8
        empty = photos.alpha == 0
        assert (photos.images[empty] == 1).all()
        assert photos.depth_z[empty].isinf().all()
        assert ((photos.alpha > 0) & (photos.alpha < 1)).any()


def test_what_one_camera_sees_another_sees_in_the_same_colour(
    scene: StillLife, cameras: Cameras, photos: Photographs
) -> None:
    """Warp by depth, where both see the surface and it is smooth; half a pixel of error would show in fine texture."""
    rays = cameras[0].rays()[0]
    depth = photos.depth_z.double()
    solid = depth[0].flatten().isfinite()
    at = rays.origins + rays.directions * (depth[0].flatten() / (rays.directions @ cameras.forwards[0]))[:, None]
    at = torch.where(solid[:, None], at, torch.zeros_like(at))
    there = cameras[1].project(at)
    pixels, expected = there.pixels[0], there.depth_z[0]
    filled = torch.where(depth[1].isfinite(), depth[1], torch.full_like(depth[1], 1e3))
    found = sample_image(filled[..., None], pixels)[:, 0]
    shared = solid & there.inside[0] & ((found - expected).abs() < 0.003 * expected)
    flat = (
        torch.nn.functional.max_pool2d(-depth[0].clamp_max(1e3)[None], 5, 1, 2)[0]
        + torch.nn.functional.max_pool2d(depth[0].clamp_max(1e3)[None], 5, 1, 2)[0]
    )
    shared &= flat.flatten() < 0.06 * depth[0].flatten()
    assert shared.sum() > 0.35 * solid.sum()
    here = photos.images[0].reshape(-1, 3)[shared]
    seen = sample_image(photos.images[1].double(), pixels)[shared].float()
    unmoved = photos.images[1].reshape(-1, 3)[shared]
    error, without = (here - seen).abs().mean(), (here - unmoved).abs().mean()
    assert error < 0.035
    assert error < 0.45 * without


@pytest.mark.parametrize(("model", "coefficients"), [("opencv", (-0.2, 0.05, 0.003, -0.002)), ("fisheye", (0.02, 0.0))])
def test_an_undistorted_photo_is_what_a_pinhole_takes(model: str, coefficients: tuple[float, ...]) -> None:
    scene = make_still_life(3, "table")
    bent = usual_cameras(scene, 1, Lens(160, 120, model=model, distortion=coefficients))  # type: ignore[arg-type]
    straight = usual_cameras(scene, 1, Lens(160, 120))
    taken = photograph(scene, bent, samples_per_pixel=9)
    photos = PosedImages.from_tensors(bent.to(torch.float32), taken.images)
    undistorted = undistort_photos(photos).image(0)
    mask = undistortion_mask(bent, straight)
    expected = photograph(scene, straight, samples_per_pixel=9).images[0]
    error = (undistorted - expected).abs().mean(-1)
    assert mask.float().mean() > 0.8
    assert error[mask].mean() < 0.035
    assert (taken.images[0] - expected).abs().mean() > 2.5 * error[mask].mean()


def test_pixels_that_no_ray_belongs_to_stay_empty() -> None:
    """A lens that turns back: the corners of its photo show nothing."""
    scene = scene_of(replace(ball((0, 0, 0), 50.0, MATTE), is_shell=True))
    lens = Lens(64, 48, field_of_view=1.6, model="opencv", distortion=(-0.3,))
    camera = forward_facing(scene, 1, lens)
    exists = camera.rays()[1].reshape(48, 64)
    photo = photograph(scene, camera, samples_per_pixel=1)
    assert 0.3 < exists.float().mean() < 0.95
    assert torch.equal(photo.alpha[0] == 1, exists)
    assert torch.equal(photo.depth_z[0].isfinite(), exists)


def test_the_sky_gives_light_of_its_own() -> None:
    sky = replace(MATTE, pattern=Pattern.SKY, scale=5.0)
    dome = replace(ball((0, 0, 0), 30.0, sky), is_shell=True)
    up = Rays(torch.zeros(1, 3), torch.tensor([[0.0, 0.6, 0.8]]))
    dark = replace(scene_of(dome), light=replace(scene_of().light, sun=(0.0, 0.0, 0.0), sky=(0.0, 0.0, 0.1)))
    assert (radiance(dark, up) > 0.1).all()
    torch.testing.assert_close(trace(dark, up).distance, torch.tensor([30.0]))


def test_pixel_centres_are_at_a_half() -> None:
    """A thin post in front of the middle between two pixels covers half of both."""
    scene = scene_of(Solid(Kind.BOX, (0.0, 0.0, 0.0), (0.02, 0.02, 3.0), MATTE))
    camera = forward_facing(scene, 1, Lens(64, 48))
    alpha = photograph(scene, camera, samples_per_pixel=64).alpha[0, 24]
    torch.testing.assert_close(alpha[31], alpha[32])
    assert alpha[31] > 0.2
    assert pixel_centers(64, 48, camera.K)[0].tolist() == [0.5, 0.5]


def test_a_scene_that_moves_with_its_camera_and_sun_looks_the_same() -> None:
    """Patterns, shadows and corners belong to the solids, not to the world."""
    scene = make_still_life(4, "table", background="white")
    turned = 0.7
    cos, sin = math.cos(turned), math.sin(turned)

    def moved(point: tuple[float, ...], shift: tuple[float, float, float]) -> tuple[float, float, float]:
        x, y, z = point
        return (cos * x - sin * y + shift[0], sin * x + cos * y + shift[1], z + shift[2])

    at = (3.1, -1.7, 0.45)
    other = replace(
        scene,
        solids=placed(scene.solids, at, turned),
        light=replace(scene.light, towards_sun=moved(scene.light.towards_sun, (0.0, 0.0, 0.0))),
        center=moved(scene.center, at),
        front=scene.front + turned,
    )
    here, there = (photograph(one, usual_cameras(one, 1, SMALL)) for one in (scene, other))
    off = (here.images - there.images).abs().amax(-1)
    assert off.mean() < 0.01  # the lattice of the corners does not turn with the scene
    assert (off > 0.08).float().mean() < 0.01
    torch.testing.assert_close(here.alpha, there.alpha, atol=0.3, rtol=0)
    both = (here.alpha == 1) & (there.alpha == 1)
    assert ((here.depth_z - there.depth_z).abs()[both] < 1e-4).float().mean() > 0.995
