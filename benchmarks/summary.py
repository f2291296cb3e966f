"""From rows per seed to mean and spread, and to the lead over the best peer."""

import statistics
from collections.abc import Iterable, Sequence

from runs import DONE, Row
from tables import Cell

SPREAD = ("image AUROC", "AP", "recall at 1 % overkill", "pixel AUROC", "AUPRO")  # shown with their deviation
MEAN = ("fit s", "graph ms", "file MB", "peak MB")
PEER = "peer "  # how the names of the peers begin


def summarise(rows: Iterable[Row]) -> list[dict[str, Cell]]:
    """One row per data set, method and setting: means over the seeds that have figures, and sample deviations.

    The deviation of a single seed is None, and so is every figure where no seed has one; "seeds" says how many have.
    """
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["data set"], row["method"], row["setting"]), []).append(row)
    ordered = sorted(groups.items(), key=lambda group: group[0][:2])  # settings in the order they were measured in
    return [_summary(key, members) for key, members in ordered]


def lead_over_peers(summary: Sequence[dict[str, Cell]], figure: str = "image AUROC") -> list[str]:
    """For each data set and method of ours one line: its mean, the best peer's, and the difference."""
    lines = []
    for row in summary:
        name, method, value = row["data set"], str(row["method"]), row[figure]
        if method.startswith(PEER) or not isinstance(value, float):
            continue
        peers = [
            (other, f"{row['method']} ({row['setting']})")
            for row in summary
            if row["data set"] == name
            and str(row["method"]).startswith(PEER)
            and isinstance(other := row[figure], float)
        ]
        if peers:
            best, which = max(peers)
            lines.append(f"- {name}, {method}: {figure} {value:.4f}; {which} {best:.4f}; lead {value - best:+.4f}")
    return lines


def _summary(key: tuple[str, str, str], members: Sequence[Row]) -> dict[str, Cell]:
    done = [row for row in members if row["outcome"] == DONE]
    summary: dict[str, Cell] = dict(zip(("data set", "method", "setting"), key, strict=True)) | {"seeds": len(done)}
    for figure in SPREAD:
        values = _values(done, figure)
        summary[figure] = statistics.fmean(values) if values else None
        summary[f"{figure} sd"] = statistics.stdev(values) if len(values) > 1 else None
    for figure in MEAN:
        values = _values(done, figure)
        summary[figure] = round(statistics.fmean(values), 2) if values else None
    missing = sorted({row["outcome"] for row in members} - {DONE})
    return summary | {"without figures": "; ".join(missing) or None}


def _values(rows: Iterable[Row], figure: str) -> list[float]:
    return [float(row[figure]) for row in rows if row[figure] != ""]
