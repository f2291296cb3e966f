"""Checking a data set before time is spent on training."""

from dataclasses import dataclass
from pathlib import Path

from sightline.datasets.dataset import Dataset
from sightline.datasets.depth_maps import depth_maps
from sightline.datasets.duplicates import Duplicates, duplicates
from sightline.datasets.findings import (
    Finding,
    Severity,
    about_depth,
    about_duplicates,
    about_files,
    about_labels,
    about_masks,
)
from sightline.datasets.survey import Statistics, Unreadable, statistics, survey


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """What a check found; `dataclasses.asdict` gives it as JSON once paths are turned to text."""

    name: str
    root: Path
    layout: str
    pictures: int
    statistics: Statistics
    unreadable: tuple[Unreadable, ...]
    duplicates: tuple[Duplicates, ...]  # leaks first
    mask_faults: tuple[str, ...]  # one line each, beginning with the mask's path
    masks_missing: tuple[Path, ...]  # defect pictures without a mask, where others have one
    findings: tuple[Finding, ...]  # all of the above in words; the worst first

    @property
    def is_usable(self) -> bool:
        """Whether every picture can be read and none has the same pixels as one in another split."""
        return all(finding.severity is not Severity.ERROR for finding in self.findings)


def check(dataset: Dataset, max_megapixels: float = 50.0, *, progress: bool | None = None) -> CheckReport:
    """Read every picture and mask of `dataset` once, and report on them.

    Args:
        max_megapixels: larger pictures are reported as unreadable.
        progress: show a bar on standard error; None: if that is a terminal.
    """
    seen = survey(dataset, max_megapixels=max_megapixels, progress=progress)
    figures, repeated = statistics(seen), duplicates(seen.looks)
    faults = tuple(look.mask_fault for look in seen.looks if look.mask_fault)
    missing = _masks_missing(dataset)
    findings = [
        *about_duplicates(dataset, repeated),
        *about_files(seen.unreadable, figures),
        *about_masks(dataset, faults, missing),
        *about_depth(dataset, depth_maps(dataset, max_megapixels=max_megapixels)),
        *about_labels(dataset),
    ]
    order = list(Severity)
    return CheckReport(
        name=dataset.name,
        root=dataset.root,
        layout=dataset.layout,
        pictures=len(dataset.samples),
        statistics=figures,
        unreadable=seen.unreadable,
        duplicates=repeated,
        mask_faults=faults,
        masks_missing=missing,
        findings=tuple(sorted(findings, key=lambda finding: order.index(finding.severity))),
    )


def _masks_missing(dataset: Dataset) -> tuple[Path, ...]:
    defects = [sample for sample in dataset.samples if not sample.is_good]
    some_drawn = any(sample.mask for sample in defects)
    return tuple(sample.path for sample in defects if some_drawn and not sample.mask)
