"""How a model that outlines defects is read: the part of its manifest under the key `segments`."""

from dataclasses import dataclass

from sightline.name_rules import refuse


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """A rectangle of the picture in which a defect is worse, in shares of the picture's width and height."""

    x: float
    y: float
    width: float
    height: float
    weight: float  # how bad a defect there is, 0..1

    def __post_init__(self) -> None:
        if not (0 <= self.x < self.x + self.width <= 1 and 0 <= self.y < self.y + self.height <= 1):
            refuse("segments.zones", "has a rectangle that is empty or leaves the picture; sides are shares of it")
        if not 0 <= self.weight <= 1:
            refuse("segments.zones.weight", f"is {self.weight}; it must be from 0 to 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentRule:
    """How a model that outlines defects is read; its graph's `masks` are the labels after good, in their order.

    A region's severity is the mean of how large it is, how much it stands out and where it lies, each 0..1, by these
    weights: `sightline.segments`.
    """

    mark: float  # a pixel that is so probably defect belongs to a region
    mm_per_px: float | None  # of the pictures; None: not known
    area_weight: float
    full_area: float  # share of the picture, from which on a region's size counts in full
    contrast_weight: float
    full_contrast: float  # share of white, by which its mean differs from its surroundings', likewise
    position_weight: float  # left out where there are no zones
    zones: tuple[Zone, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < self.mark < 1:
            refuse("segments.mark", f"is {self.mark}; it must lie between 0 and 1")
        if self.mm_per_px is not None and not self.mm_per_px > 0:
            refuse("segments.mm_per_px", f"is {self.mm_per_px}; it must be above 0")
        weights = {name: getattr(self, name) for name in ("area_weight", "contrast_weight", "position_weight")}
        for name, value in weights.items():
            if not 0 <= value <= 1:
                refuse(f"segments.{name}", f"is {value}; it must be from 0 to 1")
        if self.area_weight + self.contrast_weight <= 0:
            refuse("segments.area_weight", "and contrast_weight are 0; one of them must count")
        for name, value in (("full_area", self.full_area), ("full_contrast", self.full_contrast)):
            if not 0 < value <= 1:
                refuse(f"segments.{name}", f"is {value}; it must be above 0 and at most 1")
