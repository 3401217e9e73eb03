"""Three photos become a scene: new views, and a file for splat viewers. Photos are made here; a folder's name does as well."""

from pathlib import Path

import trisparse
from PIL import Image
from trisparse.data.still_life.capture import capture
from trisparse.data.still_life.rigs import Lens, arc
from trisparse.data.still_life.scene import make_still_life

still_life = make_still_life(seed=5)
photos = capture(still_life, arc(still_life, 3, Lens(width=160, height=120), angle=0.5))
scene = trisparse.fit_views(photos, steps=300)
out = Path("runs/render_views")
out.mkdir(parents=True, exist_ok=True)
for number, view in enumerate(scene.render(scene.orbit(4))):
    Image.fromarray((view.image.numpy() * 255).astype("uint8")).save(out / f"{number}.png")
scene.write(out / "splats.ply")
print(f"{len(scene.cloud)} Gaussians, 4 views: {out}")
