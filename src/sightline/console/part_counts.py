"""Parts counted over a time, by verdict, in all and period by period."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from nicegui import ui

from sightline.console.figures import calendar, moment, number, share
from sightline.console.part_filter import PartFilter
from sightline.console.session import Session
from sightline.line.outcome import Kind
from sightline.records import Verdict
from sightline.service.routes.inspections import Count

_ORDER = (Verdict.PASS, Verdict.REJECT, Verdict.REVIEW, Verdict.FAULT)
_STEPS_H = (1, 2, 4, 8, 24, 168)  # lengths of a period
_COLUMNS = 60  # at most, before periods get longer
_HEIGHT = 40.0  # of the columns, in units of the drawing


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Parts of one product, station and kind, or of all products and stations."""

    counts: Sequence[Count]
    step_s: float

    @property
    def by_verdict(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for one in self.counts:
            found[one.verdict] += one.parts
        return found

    @property
    def parts(self) -> int:
        return self.by_verdict.total()


async def count_parts(
    session: Session, chosen: PartFilter, span: tuple[float | None, float | None], now_s: float
) -> Counted:
    """Whole hours; of the filter only time, product, station and kind count."""
    until_s = span[1] or now_s
    found = await _counted(session, chosen, span[0] or 0.0, until_s)
    if span[0] is None and found.counts:  # in finer steps, from the first part on
        found = await _counted(session, chosen, found.counts[0].start_s, until_s)
    return found


async def _counted(session: Session, chosen: PartFilter, since_s: float, until_s: float) -> Counted:
    if until_s <= since_s:
        return Counted(counts=(), step_s=3600.0)
    step_h = next((step for step in _STEPS_H if (until_s - since_s) / 3600 / step <= _COLUMNS), _STEPS_H[-1])
    ahead = calendar(session).local(until_s).utcoffset()
    counts = await session.api.get(
        "/inspections/counts",
        list[Count],
        since_s=since_s,
        until_s=until_s,
        hours=step_h,
        offset_h=round(-(ahead.total_seconds() if ahead else 0.0) / 3600) % 24,
        product=chosen.product,
        station=chosen.station,
        kind=chosen.kind or Kind.PRODUCTION,
    )
    return Counted(counts=counts, step_s=step_h * 3600.0)


def show_counts(session: Session, counted: Counted, chosen: PartFilter, path: str) -> None:
    """Figures, of which each leads to its parts, and a strip of columns."""
    text, found, total = session.text, counted.by_verdict, counted.parts
    if not total:
        return
    tiles = [_tile(text("Parts"), number(session, total), "", "", chosen.changed("verdict", "").address(path))]
    for verdict in _ORDER:
        part = share(session, found[verdict] / total)
        link = chosen.changed("verdict", verdict).address(path)
        tiles.append(_tile(text(verdict), number(session, found[verdict]), part, verdict.lower(), link))
    with ui.element("div").classes("counted"):
        ui.html("".join(tiles), sanitize=False).classes("tiles")
        ui.html(_columns(session, counted), sanitize=False).classes("columns")
    if chosen.serial or chosen.label or chosen.lot or chosen.tool or chosen.cause or chosen.late:
        ui.label(text("The figures count all parts of this time, product and station.")).classes("muted")


def _tile(name: str, value: str, detail: str, kind: str, link: str) -> str:
    return (
        f'<a class="tile {kind}" href="{link.replace("&", "&amp;")}"><span class="name">{name}</span>'
        f'<span class="value">{value}</span><span class="detail">{detail}</span></a>'
    )


def _columns(session: Session, counted: Counted) -> str:
    """The strip as a drawing, with what it says in words."""
    periods: dict[float, Counter[str]] = {}
    for one in counted.counts:
        periods.setdefault(one.start_s, Counter())[one.verdict] += one.parts
    first, last = min(periods), max(periods)
    steps, highest = round((last - first) / counted.step_s) + 1, max(each.total() for each in periods.values())
    bars = []
    for start_s, each in periods.items():
        at, top = round((start_s - first) / counted.step_s), _HEIGHT
        said = ", ".join(f"{session.text(name)} {number(session, each[name])}" for name in _ORDER if each[name])
        bars.append(f"<g><title>{moment(session, start_s)}: {said}</title>")
        for verdict in _ORDER:
            height = _HEIGHT * each[verdict] / highest
            top -= height
            bars.append(
                f'<rect class="{verdict.lower()}" x="{at + 0.08}" y="{top:.3f}" width=".84" height="{height:.3f}"/>'
            )
        bars.append("</g>")
    begin, end = (moment(session, at_s) for at_s in (first, last + counted.step_s))
    label = session.text("Parts by verdict from {begin} to {end}", begin=begin, end=end)
    return (
        f'<svg viewBox="0 0 {steps} {_HEIGHT}" preserveAspectRatio="none" role="img" aria-label="{label}">'
        f'{"".join(bars)}</svg><span class="muted">{begin}</span><span class="muted">{end}</span>'
    )
