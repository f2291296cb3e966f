"""Pictures that occur more than once: a test on a picture that was trained on proves nothing.

Identical pictures have the same decoded pixels. Near ones have nearly the same: encoded again, or a little brighter.
The pictures of a product all look alike: of parts held in a fixture, any two correlate at 0.9999. So what all have in
common, their mean, is taken off the thumbnails first; the correlation is then that of what each has of its own, and
must reach 0.998. Measured:

- 175 pictures of the two data sets below encoded again as JPEG of quality 75, or with gamma 0.9: 0.9989 or more;
- magnetic tiles (Huang et al. 2020), 1,344 pictures: 27 pairs, each one tile taken twice; 841 reach 0.98, tiles
  taken again under another light and cropped anew;
- KolektorSDD (Tabernik et al. 2020), 399 commutators: 16 pairs, all the same file twice; 8 pairs lie between 0.985 and
  0.996, the same part taken again, and none between 0.8 and 0.985;
- 100 drawn discs held to 0.3 pixels, that differ by texture, noise and light: 0.87 at most.

Limit: where parts differ by less than the encoding changes, as those discs without texture of their own, pictures
encoded again are not found; identical pixels are.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from sightline.datasets.dataset import Sample
from sightline.datasets.survey import Look
from sightline.records import FloatArray

NEAR = 0.998  # see above
_CORRELATIONS_AT_ONCE = 1 << 22  # 16 MB


class Likeness(StrEnum):
    FILE = "same file"  # byte for byte
    PIXELS = "same pixels"  # in another file
    NEAR = "nearly the same pixels"


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicates:
    """Two or more pictures that are one."""

    likeness: Likeness  # the weakest one within the group
    samples: tuple[Sample, ...]

    @property
    def is_leak(self) -> bool:
        """Whether they lie in different splits."""
        return len({sample.split for sample in self.samples}) > 1

    @property
    def contradicts(self) -> bool:
        """Whether they have different labels."""
        return len({sample.label for sample in self.samples}) > 1


def duplicates(looks: Sequence[Look]) -> tuple[Duplicates, ...]:
    """Groups of pictures that are one, leaks first, then by likeness.

    A picture that is nearly the same as two others joins them in one group. Two pictures alone in a data set are
    compared without taking off their mean. Pictures that show nothing are compared for identity only. Time grows with
    the square of the number of pictures: about 15 s for 20,000 on two cores.
    """
    if not looks:
        return ()
    identical: dict[bytes, list[Look]] = {}
    for look in looks:
        identical.setdefault(look.digest, []).append(look)
    kinds = list(identical.values())
    groups = _joined(len(kinds), _near_pairs(_individual([kind[0] for kind in kinds])))
    found = [_group([kinds[i] for i in members]) for members in groups if sum(len(kinds[i]) for i in members) > 1]
    order = list(Likeness)
    return tuple(sorted(found, key=lambda group: (not group.is_leak, order.index(group.likeness))))


def _group(kinds: list[list[Look]]) -> Duplicates:
    looks = [look for kind in kinds for look in kind]
    if len(kinds) > 1:
        likeness = Likeness.NEAR
    else:
        likeness = Likeness.FILE if len({look.file_digest for look in looks}) == 1 else Likeness.PIXELS
    return Duplicates(likeness=likeness, samples=tuple(look.sample for look in looks))


def _individual(looks: Sequence[Look]) -> FloatArray:
    """(N, 1024) float32: thumbnails without what they have in common, of length 1; all 0 for blank pictures."""
    rows = np.stack([look.thumbnail for look in looks]).reshape(len(looks), -1).astype(np.float32)
    shows = rows.any(axis=1)
    if shows.sum() > 2:
        rows[shows] -= rows[shows].mean(axis=0)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return rows


def _near_pairs(rows: FloatArray) -> Iterator[tuple[int, int]]:
    step = max(1, _CORRELATIONS_AT_ONCE // len(rows))
    for start in range(0, len(rows), step):
        correlations = rows[start : start + step] @ rows[start:].T
        for i, j in np.argwhere(np.triu(correlations, 1) >= NEAR):
            yield start + int(i), start + int(j)


def _joined(count: int, pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Connected groups of 0..count-1, by union-find with path halving."""
    parent = list(range(count))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = i = parent[parent[i]]
        return i

    for i, j in pairs:
        parent[max(root(i), root(j))] = min(root(i), root(j))
    groups: dict[int, list[int]] = {}
    for i in range(count):
        groups.setdefault(root(i), []).append(i)
    return list(groups.values())
