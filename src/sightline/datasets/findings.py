"""What there is to say about a data set: each finding with its cure."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path

from sightline.datasets.dataset import GOOD, Dataset
from sightline.datasets.depth_maps import DepthMaps
from sightline.datasets.duplicates import Duplicates, Likeness
from sightline.datasets.survey import Statistics, Unreadable

_FEW = 19  # good pictures; a threshold from n can promise an overkill of 1 in n + 1 at best, so 5 % takes 19


class Severity(StrEnum):
    ERROR = "error"  # figures measured on this data set would be wrong, or part of it is lost
    WARNING = "warning"  # to be looked at by a person
    NOTE = "note"  # good to know


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    severity: Severity
    what: str  # one line
    cure: str  # one line
    details: tuple[str, ...] = ()  # files and reasons, one line each, all of them


_error = partial(Finding, severity=Severity.ERROR)
_warning = partial(Finding, severity=Severity.WARNING)
_note = partial(Finding, severity=Severity.NOTE)


def about_duplicates(dataset: Dataset, groups: Iterable[Duplicates]) -> Iterator[Finding]:
    """Leaks first."""
    leaks, contrary, within = _sorted_by_harm(groups)
    certain = [group for group in leaks if group.likeness is not Likeness.NEAR]
    likely = [group for group in leaks if group.likeness is Likeness.NEAR]
    apart = "keep one of each, or divide anew with `sightline data split --keep-duplicates-together`"
    if certain:
        what = f"{_occur(certain)} in more than one split, so a test proves nothing"
        yield _error(what=what, cure=apart, details=_listed(dataset, certain))
    if likely:
        what = f"{_occur(likely)} in more than one split, nearly pixel for pixel"
        yield _warning(what=what, cure=f"if they are the same part, {apart}", details=_listed(dataset, likely))
    if contrary:
        what = f"{_occur(contrary)} with different labels"
        yield _warning(what=what, cure="remove those with the wrong one", details=_listed(dataset, contrary))
    if within:
        what = f"{_occur(within)} more than once in the same split"
        yield _note(what=what, cure="keep one of each", details=_listed(dataset, within))


def about_files(unreadable: tuple[Unreadable, ...], figures: Statistics) -> Iterator[Finding]:
    if unreadable:
        what = f"{_count(len(unreadable), 'picture')} cannot be read"
        yield _error(what=what, cure="replace or remove", details=tuple(picture.reason for picture in unreadable))
    if len(figures.formats) > 1:
        what = f"different pixel formats: {_tally(figures.formats)}"
        yield _warning(what=what, cure="use one camera setting; a model may learn the format instead of the part")
    if len(figures.sizes) > 1:
        what = f"{len(figures.sizes)} different picture sizes"
        yield _note(what=what, cure="none needed if parts are cropped; else use one camera setting")


def about_masks(dataset: Dataset, faults: tuple[str, ...], missing: tuple[Path, ...]) -> Iterator[Finding]:
    if faults:
        what = f"{_count(len(faults), 'mask')} not fit for use"
        yield _warning(what=what, cure="correct what is said of each; figures per pixel need it", details=faults)
    if missing:
        what = f"{_count(len(missing), 'defect picture')} without a mask, while others have one"
        cure = "draw them, or correct their names: NNN_mask.png belongs to NNN.png"
        yield _warning(what=what, cure=cure, details=tuple(_short(dataset, path) for path in missing))


def about_depth(dataset: Dataset, maps: DepthMaps) -> Iterator[Finding]:
    if maps.faults:
        what = f"{_count(len(maps.faults), 'depth map')} not fit for use"
        yield _error(what=what, cure="correct what is said of each, or train without --depth", details=maps.faults)
    if maps.missing:
        what = f"{_count(len(maps.missing), 'picture')} without a depth map, while others have one"
        cure = "add them, or correct their names: NNN.depth.png belongs to NNN.png"
        yield _warning(what=what, cure=cure, details=tuple(_short(dataset, path) for path in maps.missing))
    if maps.without_picture:
        what = f"{_count(len(maps.without_picture), 'depth map')} without a picture"
        cure = "add the picture, or rename what is a picture: NAME.depth.png is taken for the depth map of NAME"
        yield _warning(what=what, cure=cure, details=tuple(_short(dataset, path) for path in maps.without_picture))


def about_labels(dataset: Dataset) -> Iterator[Finding]:
    good = len(dataset.train_good)
    if not good:
        what = f"no good pictures for training; the labels are {', '.join(dataset.labels)}"
        yield _warning(what=what, cure=f'put defect-free pictures in "train" and label them "{GOOD}"')
    elif good < _FEW:
        what = f"only {_count(good, 'good picture')} for training"
        yield _note(what=what, cure=f"add some; with fewer than {_FEW} no threshold can promise 5 % overkill")
    for labels in _spelt_alike(dataset.labels):
        yield _warning(what=f"labels that differ only in spelling: {', '.join(labels)}", cure="use one of them")
    defects = Counter(sample.label for sample in dataset.train if not sample.is_good)
    if defects:
        cure = "an anomaly model has no use for them there; in test they show how many are found"
        yield _note(what=f"defects among the training pictures: {_tally(defects)}", cure=cure)
    folders = _folders_taken_as_good(dataset)
    if folders:
        cure = f'if they are classes, call the one with defect-free pictures "{GOOD}"'
        yield _note(what="pictures in all subfolders are taken as good", cure=cure, details=folders)


def _sorted_by_harm(groups: Iterable[Duplicates]) -> tuple[list[Duplicates], list[Duplicates], list[Duplicates]]:
    """Those in several splits; those with several labels, wherever they are; the others."""
    found = list(groups)
    leaks = [group for group in found if group.is_leak]
    contrary = [group for group in found if group.contradicts]
    return leaks, contrary, [group for group in found if not group.is_leak and not group.contradicts]


def _spelt_alike(labels: Iterable[str]) -> list[list[str]]:
    spellings: dict[str, list[str]] = {}
    for label in labels:
        spellings.setdefault("".join(filter(str.isalnum, label.casefold())) or label, []).append(label)
    return [found for found in spellings.values() if len(found) > 1]


def _folders_taken_as_good(dataset: Dataset) -> tuple[str, ...]:
    if dataset.layout != "folder":
        return ()
    below = (sample.path.relative_to(dataset.root).parts for sample in dataset.samples)
    return tuple(sorted({parts[0] for parts in below if len(parts) > 1}))


def _listed(dataset: Dataset, groups: list[Duplicates]) -> tuple[str, ...]:
    names = (" = ".join(_short(dataset, sample.path) for sample in group.samples) for group in groups)
    return tuple(f"{group.likeness}: {listed}" for group, listed in zip(groups, names, strict=True))


def _short(dataset: Dataset, path: Path) -> str:
    return (path.relative_to(dataset.root) if path.is_relative_to(dataset.root) else path).as_posix()


def _occur(groups: list[Duplicates]) -> str:
    return f"{_count(len(groups), 'picture')} {'occurs' if len(groups) == 1 else 'occur'}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _tally(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in counts.items())
