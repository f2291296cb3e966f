"""Changes that a camera and a part could have made themselves, by material; nothing that cannot occur on a line.

Each kind of change has a reason in the scene: mirroring, where the surface has no handedness; turn, shift and zoom,
the part's play; light, the lamps' strength and the exposure; colour, the lamps' tint; blur, the lens; noise, the
sensor. Plain torch does it on whole batches, so that nothing needs to be installed beside it.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from sightline.models.class_config import Material

CHECKED = ("light", "colour", "blur", "noise")  # kinds that could erase what makes a class: a stain, a fine crack


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """The largest change of each kind; 0 or False: none."""

    mirror: bool = False  # left and right, up and down
    turn_deg: float = 0.0
    shift: float = 0.0  # share of the side
    zoom: float = 0.0  # share of the size
    light: float = 0.0  # share of brightness, of contrast, and of the exponent of gamma
    colour: float = 0.0  # share of each channel's gain; grey pictures stay grey
    blur: float = 0.0  # sigma, px at the working size
    noise: float = 0.0  # standard deviation, share of white

    def without(self, kind: str) -> "Changes":
        return replace(self, **{kind: 0.0})  # type: ignore[arg-type]  # no kind that is turned off is the mirror


PRESETS: dict[Material, Changes] = {
    # reflections move with the lamp, so that brightness varies most; the colour of oxide is a defect, not a change
    "metal": Changes(mirror=True, turn_deg=4, shift=0.06, zoom=0.08, light=0.25, blur=0.6, noise=0.02),
    "plastic": Changes(mirror=True, turn_deg=4, shift=0.06, zoom=0.08, light=0.15, colour=0.03, blur=0.6, noise=0.02),
    # hangs and stretches
    "textile": Changes(mirror=True, turn_deg=8, shift=0.08, zoom=0.12, light=0.15, colour=0.03, blur=0.5, noise=0.02),
    # scratches on glass are near the limit of the lens, and blur would take them away
    "glass": Changes(mirror=True, turn_deg=4, shift=0.06, zoom=0.06, light=0.2, noise=0.015),
    # letters have a handedness, and a line a pixel wide has a meaning
    "printed": Changes(turn_deg=2, shift=0.04, zoom=0.04, light=0.12, colour=0.03, noise=0.015),
    # nothing is known of the part
    "none": Changes(shift=0.03, zoom=0.03, light=0.1, noise=0.01),
}


def augment(images: Tensor, changes: Changes, rng: np.random.Generator) -> Tensor:
    """(N, 3, H, W) in 0..1 -> the same, each picture changed in its own way; the same generator, the same changes.

    A fourth plane, the weight of each pixel, moves with the picture and is not changed otherwise.
    """
    moved = _moved(images, changes, rng)
    images, weights = moved[:, :3], moved[:, 3:]
    images = lit(images, *(_each(images, rng, changes.light) for _ in range(3)))
    if changes.colour:
        images = images * (1 + _each(images, rng, changes.colour, channels=3))
    if changes.blur:
        images = blurred(images, float(rng.uniform(0, changes.blur)))
    return torch.cat([_noisy(images, changes.noise * float(rng.uniform()), rng).clamp(0, 1), weights], dim=1)


def strongest(images: Tensor, kind: str, changes: Changes, rng: np.random.Generator) -> list[Tensor]:
    """The pictures at both ends of one kind of change, to see whether a class survives it."""
    most, weights = getattr(changes, kind), images[:, 3:]
    images = images[:, :3]
    if kind == "light":
        ends = [lit(images, *(torch.full((), sign * most) for _ in range(3))) for sign in (-1, 1)]
    elif kind == "colour":
        gains = torch.tensor([1.0, 0.0, -1.0])[:, None, None] * most
        ends = [images * (1 + gains), images * (1 - gains)]
    elif kind == "blur":
        ends = [blurred(images, most)]
    else:
        ends = [_noisy(images, most, rng)]
    return [torch.cat([end.clamp(0, 1), weights], dim=1) for end in ends]


def lit(images: Tensor, brightness: Tensor, contrast: Tensor, gamma: Tensor) -> Tensor:
    """Other lamps and exposure: gain, contrast about the mean, and the exponent, each as a share of change."""
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    contrasted = (images - mean) * (1 + contrast) + mean
    lighter: Tensor = (contrasted * (1 + brightness)).clamp(1e-4, 1) ** (1 + gamma)
    return lighter


def blurred(images: Tensor, sigma: float) -> Tensor:
    """A lens a little out of focus: a Gaussian of this sigma, px."""
    if sigma < 0.1:
        return images
    reach = max(1, round(3 * sigma))
    line = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, device=images.device) / sigma) ** 2)
    line = (line / line.sum()).to(images.dtype)
    around = functional.pad(images, (reach,) * 4, mode="replicate")
    kernel = (line[:, None] * line).expand(images.shape[1], 1, -1, -1)  # whole: four times as fast as two lines in turn
    return functional.conv2d(around, kernel, groups=images.shape[1])


def _moved(images: Tensor, changes: Changes, rng: np.random.Generator) -> Tensor:
    count = len(images)
    turn = np.deg2rad(rng.uniform(-changes.turn_deg, changes.turn_deg, count))
    scale = 1 + rng.uniform(-changes.zoom, changes.zoom, count)
    shift = rng.uniform(-2 * changes.shift, 2 * changes.shift, (count, 2))  # the grid runs from -1 to 1
    flips = np.where(rng.uniform(size=(count, 2)) < 0.5 * changes.mirror, -1.0, 1.0)
    # in pixels the turn is rigid; the grid's unit is half a side
    aspect = images.shape[2] / images.shape[3]
    rows = np.empty((count, 2, 3))
    rows[:, 0] = np.stack([np.cos(turn), -np.sin(turn) * aspect, np.zeros(count)], 1) * (flips[:, :1] * scale[:, None])
    rows[:, 1] = np.stack([np.sin(turn) / aspect, np.cos(turn), np.zeros(count)], 1) * (flips[:, 1:] * scale[:, None])
    rows[:, :, 2] = shift
    theta = torch.from_numpy(rows.astype(np.float32)).to(images.device)
    grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="reflection", align_corners=False)


def _noisy(images: Tensor, deviation: float, rng: np.random.Generator) -> Tensor:
    if not deviation:
        return images
    generator = torch.Generator(images.device).manual_seed(int(rng.integers(2**62)))
    grey = torch.randn(len(images), 1, *images.shape[2:], generator=generator, device=images.device)
    return images + deviation * grey


def _each(images: Tensor, rng: np.random.Generator, most: float, channels: int = 1) -> Tensor:
    """(N, channels, 1, 1) changes, each its own."""
    drawn = rng.uniform(-most, most, (len(images), channels, 1, 1)).astype(np.float32)
    return torch.from_numpy(drawn).to(images.device)
