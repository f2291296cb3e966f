"""What a view's camera sees now, beside what it saw at the set-up."""

from dataclasses import dataclass

from sightline.devices.camera import Camera
from sightline.imaging.fitness import measure
from sightline.line.fitness import Fitness, FitnessCheck, Reference
from sightline.line.recipe import View
from sightline.records import Frame

_PICTURE_S = 10.0  # until each picture must be there


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calibrated:
    """Some pictures of one view."""

    fitness: tuple[Fitness, ...]  # of each
    sharpest: Frame
    reference: Reference | None

    @property
    def fit(self) -> bool:
        return all(one.fit for one in self.fitness)


def take(camera: Camera, view: View, reference: Reference | None, pictures: int) -> Calibrated:
    """Take so many pictures, at least one, and measure them.

    Raises:
        DeviceError: one did not come. FrameError: one cannot be decoded.
    """
    check = FitnessCheck(view.fitness, reference)
    frames, found = [], []
    for _ in range(pictures):
        camera.trigger()
        frame = camera.grab(_PICTURE_S).frame
        frames.append(frame)
        found.append(check.check(frame))
    sharpest = max(frames, key=lambda frame: measure(frame).sharpness)
    return Calibrated(fitness=tuple(found), sharpest=sharpest, reference=reference)


def told(view: View, calibrated: Calibrated) -> list[str]:
    """The measurements as lines for a terminal: the set-up's, then each picture's, with what is wrong."""
    reference = calibrated.reference
    rows = []
    if reference is not None:
        at_setup = Fitness(
            unfit=(), measured=reference.measured, balance=reference.balance, patch_level=reference.patch_level
        )
        rows.append(f"{view.name}: set-up     {_figures(at_setup, reference)}")
    for number, fitness in enumerate(calibrated.fitness, 1):
        wrong = "; ".join(one.reason for one in fitness.unfit) or "fit"
        rows.append(f"{view.name}: picture {number:2} {_figures(fitness, reference)}  {wrong}")
    return rows


def _figures(fitness: Fitness, reference: Reference | None) -> str:
    measured = fitness.measured
    if measured is None:
        return "not measured"
    text = (
        f"brightness {measured.brightness:.3f}  contrast {measured.contrast:.3f}  white {measured.saturated_share:.3f}"
    )
    text += f"  sharpness {measured.sharpness:.3f}"
    if fitness.patch_level is not None:
        text += f"  patch {fitness.patch_level:.3f}"
    if reference is not None and reference.grey_patch is not None and fitness.balance is not None:
        text += f"  red {fitness.balance[0]:.3f}  blue {fitness.balance[1]:.3f}"
    if reference is not None and reference.target is not None and fitness.position is not None:
        box, position = reference.target, fitness.position
        across, down = position.x - box.x - box.width / 2, position.y - box.y - box.height / 2
        text += f"  moved {across:+.1f}, {down:+.1f} px"
    return text
