"""Seamless cloning: a patch takes over the light of the place it is put in (Perez, Gangnet and Blake 2003, section 3).

Cloning with the source's gradients, f = g inside and f = f* on the border, is f = g + h with h harmonic and h = f* - g
on the border (their eq. 6). `membrane` solves for h on any mask, in floating point and for any number of channels, as
OpenCV's seamlessClone takes 8-bit RGB only.
"""

import cv2
import numpy as np

from sightline.records import BoolArray, FloatArray

_COARSEST_PX = 12
_STEPS = 400  # of conjugate gradients at most; from a coarser solution some tens do
_TOLERANCE = 1e-4  # of the residual, in values: far below one level of 8 bits
_FLOOR = 0.02  # added before taking logarithms, so that black stays finite
_MOST_LIGHT = 0.9  # logarithm: a factor of 2.5
_CROSS = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.float32)


def membrane(values: FloatArray, known: BoolArray) -> FloatArray:
    """Fill the unknown pixels with the harmonic function that meets the known ones.

    Args:
        values: (H, W, C); what stands in unknown pixels is not looked at.
        known: (H, W), at least one pixel. The array's own border is free: nothing flows across it.

    Returns:
        (H, W, C), equal to `values` where known. The work is bounded; the residual is below 1e-4 in practice.
    """
    assert known.any(), "a membrane needs something to hold it"
    start = np.where(known[..., None], values, _coarser(values, known))
    if known.all():
        return np.asarray(start, np.float32)
    planes = [_relaxed(np.ascontiguousarray(start[..., i]), ~known) for i in range(start.shape[2])]
    return np.stack(planes, axis=2)


def _coarser(values: FloatArray, known: BoolArray) -> FloatArray:
    """A first guess: the membrane at half the size, down to a few pixels, where it is the mean."""
    rows, columns = known.shape
    held = np.where(known[..., None], values, 0).astype(np.float32)
    if min(rows, columns) <= _COARSEST_PX:
        mean = held.sum(axis=(0, 1)) / np.float32(np.count_nonzero(known))
        return np.broadcast_to(mean, values.shape)
    size = ((columns + 1) // 2, (rows + 1) // 2)
    weight = cv2.resize(known.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    total = cv2.resize(held, size, interpolation=cv2.INTER_AREA).reshape(*weight.shape, -1)
    held_by = np.maximum(weight, np.float32(1e-6))[..., None]
    small = membrane(np.asarray(total / held_by, np.float32), weight > 0)
    return np.asarray(cv2.resize(small, (columns, rows), interpolation=cv2.INTER_LINEAR), np.float32).reshape(
        values.shape
    )


def _relaxed(start: FloatArray, unknown: BoolArray) -> FloatArray:
    """Conjugate gradients on the five-point Laplacian of the unknown pixels, (H, W)."""
    free = unknown.astype(np.float32)
    degree = _neighbours(np.ones_like(free))

    def applied(plane: FloatArray) -> FloatArray:
        return np.asarray((degree * plane - _neighbours(plane)) * free, np.float32)

    solution = start.astype(np.float32)
    residual = -applied(solution)
    direction, power = residual.copy(), float(np.vdot(residual, residual))
    for _ in range(_STEPS):
        if float(np.abs(residual).max()) < _TOLERANCE:
            break
        flow = applied(direction)
        step = np.float32(power / max(float(np.vdot(direction, flow)), 1e-20))
        solution += step * direction
        residual -= step * flow
        before, power = power, float(np.vdot(residual, residual))
        direction = residual + np.float32(power / max(before, 1e-20)) * direction
    return solution


def _neighbours(plane: FloatArray) -> FloatArray:
    return np.asarray(cv2.filter2D(plane, cv2.CV_32F, _CROSS, borderType=cv2.BORDER_CONSTANT), np.float32)


def clone(target: FloatArray, patch: FloatArray, mask: BoolArray) -> FloatArray | None:
    """`target` with `patch` cloned into `mask`; all three lie on the same (H, W), the pictures with C channels.

    It is done in logarithms: the patch's contrasts stay in proportion to the light they come into. The border is
    compared after a little smoothing, or else its noise would run into the patch as streaks. None where the patch
    would have to become several times brighter or darker: such a place is nothing like the one that it came from.
    """
    inside, outside = (np.log(np.maximum(picture, 0) + np.float32(_FLOOR)) for picture in (patch, target))
    gap = cv2.GaussianBlur(outside, (0, 0), 1.5) - cv2.GaussianBlur(inside, (0, 0), 1.5)
    light = membrane(np.asarray(gap, np.float32).reshape(target.shape), ~mask)
    if float(np.quantile(np.abs(light[mask]), 0.9)) > _MOST_LIGHT:
        return None
    laid = np.exp(inside + light) - np.float32(_FLOOR)
    cover = np.minimum(cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.7), 1)[..., None]
    return np.asarray(np.clip(target + cover * (laid - target), 0, 1), np.float32)
