import ast
import calendar
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from sightline.errors import OptionError
from sightline.evaluation import shift_report
from sightline.evaluation.challenge import claim
from sightline.evaluation.control_charts import Subgroup, p_chart
from sightline.evaluation.nelson_rules import RULES
from sightline.evaluation.pareto import OTHERS, pareto
from sightline.evaluation.periods import Calendar, Step, moment
from sightline.evaluation.recall_estimate import Stratum, recall_from_audit
from sightline.evaluation.shift_pdf import to_pdf
from sightline.evaluation.shift_report import Found, OpenAlert, Shift, Stop, out_of_control, sentences, to_html
from sightline.evaluation.throughput import Counts, FirstPass
from sightline.evaluation.value import Manual, Prices, Quantities, value
from sightline.evaluation.wording import Language

BERLIN = Calendar(zone="Europe/Berlin")
BEGIN = moment("2026-11-17T06:00", BERLIN)
NASTY = "\"><script>alert(1)</script>&amp;'{{ 7 * 7 }}\x07"
REJECTS = [9, 12, 8, 11, 10, 9, 13, 8, 10, 12, 9, 11, 8, 10, 9, 12, 10, 11, 9, 12, 31, 28, 15, 10]
COUNTS = Counts(passed=9_420, rejected=120, review=20, fault=5, late=2, defects=160)


def made() -> Shift:
    """A busy morning: two hours too many rejects, a stop, a fault, an escape and a missed challenge part."""
    hours = BERLIN.periods(BEGIN - 16 * 3600, BEGIN + 8 * 3600, Step.HOUR)
    groups = [Subgroup(name=hour.name, count=n, size=1_200) for hour, n in zip(hours, REJECTS, strict=True)]
    by_hour = [
        (hour.name, Counts(passed=1_190 - n, rejected=n, fault=10 * (at == 3)))
        for at, (hour, n) in enumerate(zip(hours[16:], REJECTS[16:], strict=True))
    ]
    return Shift(
        line="1",
        station="",
        product="",
        period=BERLIN.shift_at(BEGIN + 60),
        calendar=BERLIN,
        written_s=BEGIN + 8 * 3600 + 300,
        written_by="M. Huber",
        running=False,
        counts=COUNTS,
        before=replace(COUNTS, passed=9_100, rejected=80),
        first_pass=FirstPass(parts=9_550, passed=9_410, repeats=15),
        stations={"cap-top": COUNTS, "cap-side": Counts(passed=4_000, rejected=31, review=4)},
        hours=by_hour,
        pareto=pareto({"scratch": 61, "dent": 40, "stain": 21, "short shot": 9, "burr": 5, "missing clip, left": 4}),
        chart=p_chart(groups, centre=0.0085),
        chart_begin=16,
        challenge=claim(58, 59),
        challenge_faults=1,
        recall=recall_from_audit([Stratum(name="cap", passed=9_420, audited=300, bad=0)], caught=130),
        causes={"camera": 3, "late": 2},
        stops=[
            Stop(station="cap-top", begin_s=BEGIN + 9_000, seconds=1_260),
            Stop(station="cap-side", begin_s=BEGIN, seconds=4_200),
        ],
        stops_longer_than_s=300,
        escapes=[Found(at_s=BEGIN + 4_000, product="cap", serial="C-1187", label="scratch", where="final assembly")],
        alerts=[
            OpenAlert(
                raised_s=BEGIN + 15_000,
                rule="defect rate",
                subject="cap-top",
                message="2.4 % rejected, usual is 0.9 %",
                acknowledged_by="",
            ),
            OpenAlert(raised_s=BEGIN - 50_000, rule="disk", subject="plant", message="9 % free", acknowledged_by="it"),
        ],
        value=value(
            Quantities(parts=9_565, bad=131, escapes=1, overkill=12, reviewed=20),
            Prices(escape=150, overkill=2, review=0.5, manual=0.08, running=40),
            Manual(),
        ),
    )


def empty() -> Shift:
    nothing = Counts()
    return replace(
        made(),
        counts=nothing,
        before=nothing,
        first_pass=FirstPass(parts=0, passed=0, repeats=0),
        stations={},
        hours=[],
        pareto=pareto({}),
        chart=None,
        chart_begin=0,
        challenge=None,
        challenge_faults=0,
        recall=None,
        causes={},
        stops=[],
        escapes=[],
        alerts=[],
        value=None,
    )


class Tags(HTMLParser):
    """Every tag that is opened, with its attributes, and the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def words(page: str) -> str:
    return re.sub(r"\s+", " ", Tags(page).text)


def test_the_page_says_what_a_shift_leader_needs() -> None:
    text = words(to_html(made()))
    for said in (
        "Tuesday, 17 November 2026, 06:00 to 14:00",
        "9 565 parts inspected",
        "1 challenge part missed. Check the station before it goes on.",
        "1 escape reported",
        "98.53 %",
        "58 of 59 found: at least 92.21 % with 95 % confidence. 1 more could not be judged.",
        "C-1187",
        "1 h 10 min",
        "nobody yet",
        "Handed over by",
        "EUR",
    ):
        assert said in text, said


def test_the_page_says_it_in_german_with_german_numbers() -> None:
    page = to_html(made(), Language.GERMAN)
    text = words(page)
    assert '<html lang="de">' in page
    for said in (
        "Dienstag, 17. November 2026, 06:00 bis 14:00 Uhr",
        "9.565 Teile geprüft, 9.420 Teile gut (98,48 %).",
        "1 Prüfkörper übersehen.",
        "58 von 59 gefunden: mindestens 92,21 % mit 95 % Vertrauen. 1 weitere",
        "Um 10:00 und 11:00: ein Punkt jenseits von 3 Sigma, mehr Ausschuss als sonst (Regel 1).",
        "Linie 1, alle Produkte",
        "geschrieben 17.11.2026 14:05 von M. Huber",
        "1 h 10 min",
        "noch niemand",
        "Prüfung jedes Teils durch Menschen",
        "Übergeben von",
    ):
        assert said in text, said


def test_open_alerts_are_told_in_german_but_for_what_people_named() -> None:
    silent = OpenAlert(
        raised_s=BEGIN,
        rule="station silent",
        subject="disk",
        message="has not reported for 34 minutes. Check the station and its network.",
        acknowledged_by="",
    )
    ours = replace(silent, rule="ours", message="ask Max")
    page = to_html(replace(made(), alerts=[silent, ours]), Language.GERMAN)
    cells = re.findall("<td><bdi>(.*?)</bdi></td>", page)
    told = ["Station stumm", "disk", "hat sich seit 34 Minuten nicht gemeldet. Prüfen Sie die Station und ihr Netz."]
    assert cells[-6:] == [*told, "ours", "disk", "ask Max"]
    assert silent.message in words(to_html(replace(made(), alerts=[silent])))


def test_every_text_of_the_report_is_there_in_german_and_no_other() -> None:
    folder = Path(shift_report.__file__).parent
    said = set(re.findall(r'say\("([^"]+)"', (folder / "templates" / "shift.html").read_text("utf-8")))
    trees = [ast.parse((folder / f"{name}.py").read_text("utf-8")) for name in ("shift_report", "quality_plots")]
    heard = {one.value for tree in trees for one in ast.walk(tree) if isinstance(one, ast.Constant)}
    for call in (one for tree in trees for one in ast.walk(tree) if isinstance(one, ast.Call)):
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        given = {"say": call.args[:1], "counted": call.args[1:3]}.get(name, [])
        choices = [side for one in given for side in ((one.body, one.orelse) if isinstance(one, ast.IfExp) else (one,))]
        said |= {one.value for one in choices if isinstance(one, ast.Constant)}
    dates = {*calendar.day_name, *calendar.month_name} - {""}
    german = shift_report.WORDINGS[Language.GERMAN].texts
    assert sorted((said | dates) - german.keys()) == []
    rules = {word for rule in RULES for word in (rule.words, rule.hint)}
    assert rules <= german.keys()
    assert sorted(german.keys() - said - heard - dates - rules - {OTHERS}) == []


def test_hours_out_of_control_are_told_in_words() -> None:
    said = out_of_control(made())
    assert said[0].startswith(
        "At 10:00 and 11:00: one point beyond 3 sigma, more rejects than usual (rule 1). It often means"
    )
    assert any(one.startswith("From 10:00 to 11:00: two of three points") for one in said)


def test_what_was_unusual_before_the_shift_is_not_this_shifts() -> None:
    assert out_of_control(replace(made(), chart_begin=23)) == []
    assert "what varies is chance" in words(to_html(replace(made(), chart_begin=23)))


def test_a_shift_without_parts_is_reported_as_such() -> None:
    assert sentences(empty()) == ["No part was inspected in this shift."]
    text = words(to_html(empty()))
    assert "not checked in this shift" in text
    assert "There is none." in text


def test_nothing_from_outside_becomes_part_of_the_page() -> None:
    shift = replace(
        made(),
        line=NASTY,
        station=NASTY,
        product=NASTY,
        written_by=NASTY,
        pareto=pareto({NASTY: 3}),
        causes={NASTY: 1},
        stations={NASTY: COUNTS, "b": COUNTS},
        escapes=[Found(at_s=BEGIN, product=NASTY, serial=NASTY, label=NASTY, where=NASTY)],
        alerts=[OpenAlert(raised_s=BEGIN, rule=NASTY, subject=NASTY, message=NASTY, acknowledged_by=NASTY)],
        stops=[Stop(station=NASTY, begin_s=BEGIN, seconds=600)],
    )
    page = Tags(to_html(shift))
    names = {name for name, _ in page.tags}
    assert "script" not in names
    assert "{{ 7 * 7 }}" in page.text
    assert not list(_fetched(page.tags))


def _fetched(tags: list[tuple[str, dict[str, str | None]]]) -> Iterator[str]:
    for name, attributes in tags:
        if name in ("link", "img", "iframe", "object") or {"src", "href"} & attributes.keys():
            yield name


def test_long_tables_are_cut_and_say_so() -> None:
    many = [Stop(station="a", begin_s=BEGIN, seconds=400)] * 25
    assert "and 5 more" in words(to_html(replace(made(), stops=many)))


def test_without_weasyprint_the_cure_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "weasyprint", None)
    with pytest.raises(OptionError, match=r"pip install 'sightline\[server\]'"):
        to_pdf(made())
