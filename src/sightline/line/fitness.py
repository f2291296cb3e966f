"""Whether a picture is fit to be judged, before any model sees it: measurements against the limits of the set-up."""

import math
from dataclasses import dataclass
from enum import StrEnum

from sightline.errors import OptionError
from sightline.imaging.fitness import (
    Blur,
    Measured,
    Position,
    Spectrum,
    estimate_blur,
    find_target,
    level_of,
    measure,
    spectrum,
    white_balance,
)
from sightline.line.toml_table import NotNegative, Share
from sightline.records import Box, Frame


class Cause(StrEnum):
    """Why a picture is not fit; the key of its counter."""

    WRONG_SIZE = "wrong_size"
    WRONG_FORMAT = "wrong_format"  # number of channels, or bit depth
    TOO_DARK = "too_dark"
    TOO_BRIGHT = "too_bright"
    LOW_CONTRAST = "low_contrast"
    SATURATED = "saturated"
    PATCH_CHANGED = "patch_changed"  # the grey patch is darker or brighter than at the set-up: it is the light
    DARKER = "darker"  # than at the set-up, as the next three
    BRIGHTER = "brighter"
    CONTRAST_CHANGED = "contrast_changed"
    MORE_SATURATED = "more_saturated"
    BLURRED = "blurred"
    MOTION = "motion"
    FROZEN = "frozen"  # the same frame again and again
    TARGET_MISSING = "target_missing"
    TARGET_MOVED = "target_moved"
    COLOUR_CAST = "colour_cast"


_OF_SETUP = {  # no part mends these
    Cause.PATCH_CHANGED,
    Cause.BLURRED,
    Cause.TARGET_MISSING,
    Cause.TARGET_MOVED,
    Cause.COLOUR_CAST,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FitnessLimits:
    """What a view's pictures must be like; levels are shares of white. None: not checked.

    What is compared with the set-up needs its reference picture.
    """

    least_brightness: Share = 0.02
    most_brightness: Share = 0.95
    least_contrast: Share = 0.01
    most_saturated_share: Share = 0.5
    most_patch_change: NotNegative = 0.15  # of the grey patch's level, as a share of the reference's, up or down
    most_brightness_change: NotNegative = 0.25  # likewise of the whole picture, in which parts differ
    most_contrast_change: NotNegative = 0.4
    most_saturated_more: Share = 0.1  # share of pixels at white beyond the reference's
    least_sharpness: NotNegative | None = None  # times the reference's
    most_motion_px: NotNegative | None = None  # beyond the reference's; below 5 it may be exceeded by chance
    frozen_after: int | None = 2  # a frame that comes so often in a row is not live
    most_target_shift_px: NotNegative = 5.0
    least_target_match: Share = 0.7  # normalised correlation
    most_colour_shift: NotNegative = 0.08  # of red or blue over green, times the reference's
    off_after: int | None = 5  # pictures in a row not as at the set-up hold the station until a reset

    def __post_init__(self) -> None:
        if not 0 <= self.least_brightness < self.most_brightness <= 1:
            raise OptionError("least_brightness and most_brightness are shares of white, the first below the second.")
        if self.frozen_after is not None and self.frozen_after < 2:
            raise OptionError(f"frozen_after is {self.frozen_after}; give 2 or more.")
        if self.off_after is not None and self.off_after < 1:
            raise OptionError(f"off_after is {self.off_after}; give 1 or more.")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reference:
    """A view as it was set up; everything is compared with it."""

    frame: Frame
    measured: Measured
    spectrum: Spectrum
    target: Box | None  # something that is in each picture at the same place, such as a mark on the fixture
    target_frame: Frame | None
    grey_patch: Box | None  # something grey that is in each picture
    balance: tuple[float, float]  # red and blue over green of the patch
    patch_level: float | None  # of the patch, 0..1 of white; None: there is none


def reference_of(frame: Frame, *, target: Box | None = None, grey_patch: Box | None = None) -> Reference:
    """What the picture of the set-up says.

    Raises:
        OptionError: the target or the patch is not within the picture, or the target is without contrast.
    """
    picture = frame.source or "the reference picture"
    for name, box in (("target", target), ("grey_patch", grey_patch)):
        if box and (box.x + box.width > frame.width or box.y + box.height > frame.height or min(box.x, box.y) < 0):
            raise OptionError(f"{picture}: {name} reaches beyond its {frame.width} x {frame.height} px.")
    cut = _cut(frame, target) if target else None
    if cut is not None and not cut.pixels.std():
        raise OptionError(f"{picture}: the target is without contrast; mark another.")
    balance = white_balance(frame, grey_patch) if grey_patch else (1.0, 1.0)
    if not all(0 < ratio < math.inf for ratio in balance):
        raise OptionError(f"{picture}: the grey patch is black in one colour; mark another, or give more light.")
    return Reference(
        frame=frame,
        measured=measure(frame),
        spectrum=spectrum(frame),
        target=target,
        target_frame=cut,
        grey_patch=grey_patch,
        balance=balance,
        patch_level=level_of(frame, grey_patch) if grey_patch else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfit:
    """One reason why a picture cannot be judged."""

    cause: Cause
    reason: str  # with what was measured and the limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitness:
    """What a picture was found to be; fit where nothing is wrong."""

    unfit: tuple[Unfit, ...]  # gravest first: what makes other findings likely stands before them
    measured: Measured | None = None  # None: it is of the wrong size or format, and nothing was measured
    blur: Blur | None = None  # None: there is no reference, or it was not asked for
    position: Position | None = None  # of the target; None: there is none, or it was not found
    balance: tuple[float, float] | None = None  # of the grey patch
    patch_level: float | None = None  # likewise; None: there is no patch

    @property
    def fit(self) -> bool:
        return not self.unfit


class Repeats:
    """How often in a row the newest frame of a camera has come. One thread uses it."""

    def __init__(self) -> None:
        self._digest, self._times = "", 0

    def times(self, digest: str) -> int:
        """Of the frame of this digest, which is the newest now."""
        self._times = self._times + 1 if digest == self._digest else 1
        self._digest = digest
        return self._times


class FitnessCheck:
    """Checks the pictures of one view, one after another, on one thread; another may look at `off` and forgive."""

    def __init__(
        self, limits: FitnessLimits, reference: Reference | None = None, repeats: Repeats | None = None
    ) -> None:
        """
        Args:
            repeats: of the camera, which may have been another recipe's before; None: it is new.

        Raises:
            OptionError: a limit needs a reference and there is none.
        """
        if reference is None and (limits.least_sharpness is not None or limits.most_motion_px is not None):
            raise OptionError("least_sharpness and most_motion_px compare with a reference picture; give one.")
        self._limits = limits
        self._reference = reference
        self._kind = None if reference is None else _kind_of(reference.frame)  # None: that of the first picture
        self._repeats = repeats or Repeats()
        self._off = 0  # pictures in a row that are not as at the set-up

    @property
    def off(self) -> bool:
        """So many pictures in a row were not as at the set-up that no part will be; until `forgive`."""
        return self._limits.off_after is not None and self._off >= self._limits.off_after

    def forgive(self) -> None:
        """Somebody has looked; begin to count anew."""
        self._off = 0
        if self._reference is None:
            self._kind = None

    def check(self, frame: Frame) -> Fitness:
        """All that is wrong with the picture."""
        found = self._checked(frame)
        self._off = self._off + 1 if any(one.cause in _OF_SETUP for one in found.unfit) else 0
        return found

    def _checked(self, frame: Frame) -> Fitness:
        reference, found = self._reference, _kind_of(frame)
        wanted = self._kind = self._kind or found
        if found != wanted:
            return Fitness(unfit=(_wrong_kind(found, wanted, "at the set-up" if reference else "of the first one"),))
        measured = measure(frame)
        unfit = [*self._frozen(measured), *_light(measured, self._limits)]
        if reference is None:
            return Fitness(unfit=tuple(unfit), measured=measured)
        blur = self._blur(frame, reference)
        position = _position(frame, reference, self._limits)
        balance = white_balance(frame, reference.grey_patch) if reference.grey_patch else None
        patch = level_of(frame, reference.grey_patch) if reference.grey_patch else None
        unfit += [
            *_as_lit(measured, patch, reference, self._limits),
            *_placed(position, reference, self._limits),
            *_focus(measured, blur, reference, self._limits),
            *_cast(balance, reference, self._limits),
        ]
        return Fitness(
            unfit=tuple(unfit), measured=measured, blur=blur, position=position, balance=balance, patch_level=patch
        )

    def _blur(self, frame: Frame, reference: Reference) -> Blur | None:
        return None if self._limits.most_motion_px is None else estimate_blur(spectrum(frame), reference.spectrum)

    def _frozen(self, measured: Measured) -> list[Unfit]:
        times, most = self._repeats.times(measured.digest), self._limits.frozen_after
        if most is None or times < most:
            return []
        return [Unfit(cause=Cause.FROZEN, reason=f"the same frame came {times} times; the camera stands still")]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """What a camera does not change by itself."""

    width: int
    height: int
    channels: int
    bit_depth: int


def _kind_of(frame: Frame) -> _Kind:
    channels = frame.pixels.shape[2]
    return _Kind(width=frame.width, height=frame.height, channels=channels, bit_depth=frame.bit_depth)


def _wrong_kind(found: _Kind, wanted: _Kind, whose: str) -> Unfit:
    """Of two that differ."""
    if (found.width, found.height) != (wanted.width, wanted.height):
        sizes = f"{found.width} x {found.height} px, {whose} {wanted.width} x {wanted.height}"
        return Unfit(cause=Cause.WRONG_SIZE, reason=sizes)
    formats = f"{found.channels} channels of {found.bit_depth} bits, {whose} {wanted.channels} of {wanted.bit_depth}"
    return Unfit(cause=Cause.WRONG_FORMAT, reason=formats)


def _light(found: Measured, limits: FitnessLimits) -> list[Unfit]:
    level, white = found.brightness, found.saturated_share
    checks = [
        (level >= limits.least_brightness, Cause.TOO_DARK, "brightness", level),
        (level <= limits.most_brightness, Cause.TOO_BRIGHT, "brightness", level),
        (white <= limits.most_saturated_share, Cause.SATURATED, "share of pixels at white", white),
        (found.contrast >= limits.least_contrast, Cause.LOW_CONTRAST, "contrast", found.contrast),
    ]
    return [Unfit(cause=cause, reason=f"{what} {value:.3f}") for fits, cause, what, value in checks if not fits]


def _as_lit(found: Measured, patch: float | None, reference: Reference, limits: FitnessLimits) -> list[Unfit]:
    """The light against that of the set-up: a lamp that ages passes all fixed limits for long."""
    set_up, unfit = reference.measured, []
    if patch is not None and reference.patch_level is not None:
        level = _ratio(patch, reference.patch_level)
        if not abs(level - 1) <= limits.most_patch_change:
            unfit.append(Unfit(cause=Cause.PATCH_CHANGED, reason=f"grey patch at {level:.0%} of the set-up's level"))
    light = _ratio(found.brightness, set_up.brightness)
    if not abs(light - 1) <= limits.most_brightness_change:
        cause = Cause.BRIGHTER if light > 1 else Cause.DARKER
        unfit.append(Unfit(cause=cause, reason=f"brightness at {light:.0%} of the set-up's"))
    contrast = _ratio(found.contrast, set_up.contrast)
    if not abs(contrast - 1) <= limits.most_contrast_change:
        unfit.append(Unfit(cause=Cause.CONTRAST_CHANGED, reason=f"contrast at {contrast:.0%} of the set-up's"))
    if not found.saturated_share - set_up.saturated_share <= limits.most_saturated_more:
        shares = f"{found.saturated_share:.1%} of pixels at white, at the set-up {set_up.saturated_share:.1%}"
        unfit.append(Unfit(cause=Cause.MORE_SATURATED, reason=shares))
    return unfit


def _ratio(found: float, set_up: float) -> float:
    """Nothing where there was nothing is no change; something is a boundless one."""
    if set_up:
        return found / set_up
    return math.inf if found else 1.0


def _position(frame: Frame, reference: Reference, limits: FitnessLimits) -> Position | None:
    if reference.target is None or reference.target_frame is None:
        return None
    reach = int(2 * limits.most_target_shift_px) + 4  # so that moved and missing can be told apart
    return find_target(frame, reference.target_frame, reference.target, reach)


def _placed(position: Position | None, reference: Reference, limits: FitnessLimits) -> list[Unfit]:
    if (box := reference.target) is None:
        return []
    if position is None or not position.correlation >= limits.least_target_match:
        match = f"best match {position.correlation:.2f}" if position else "nothing like it"
        return [Unfit(cause=Cause.TARGET_MISSING, reason=f"reference target not found, {match}")]
    across, down = position.x - box.x - box.width / 2, position.y - box.y - box.height / 2
    if max(abs(across), abs(down)) <= limits.most_target_shift_px:
        return []
    return [Unfit(cause=Cause.TARGET_MOVED, reason=f"reference target moved by {across:+.1f}, {down:+.1f} px")]


def _focus(found: Measured, blur: Blur | None, reference: Reference, limits: FitnessLimits) -> list[Unfit]:
    unfit = []
    if blur and limits.most_motion_px is not None and not blur.motion_px <= limits.most_motion_px:
        moved = f"moved by {blur.motion_px:.0f} px at {blur.angle_deg:.0f} degrees while exposed"
        unfit.append(Unfit(cause=Cause.MOTION, reason=moved))
    least = limits.least_sharpness
    if least is not None and not found.sharpness >= least * reference.measured.sharpness:
        share = found.sharpness / reference.measured.sharpness
        unfit.append(Unfit(cause=Cause.BLURRED, reason=f"sharpness {share:.2f} times that of the set-up"))
    return unfit


def _cast(balance: tuple[float, float] | None, reference: Reference, limits: FitnessLimits) -> list[Unfit]:
    if balance is None:
        return []
    pairs = zip(balance, reference.balance, strict=True)
    shifts = [here / there - 1 for here, there in pairs]
    if all(abs(shift) <= limits.most_colour_shift for shift in shifts):
        return []
    return [Unfit(cause=Cause.COLOUR_CAST, reason=f"red {shifts[0]:+.0%}, blue {shifts[1]:+.0%} against the set-up")]


def _cut(frame: Frame, box: Box) -> Frame:
    inner = frame.pixels[box.y : box.y + box.height, box.x : box.x + box.width]
    return Frame(pixels=inner.copy(), bit_depth=frame.bit_depth, source=frame.source)
