"""Rules find what is the matter, say it once, and know when it is over."""

import json
import logging
import math
import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import select
from tests.service.operations.conftest import application

from sightline.errors import OptionError
from sightline.service.alert_rules import apart, checked, described, told_span, upper_tail
from sightline.service.alerts import CALM_S, Watch
from sightline.service.plant import Plant
from sightline.service.rights import Role
from sightline.service.routes.alerts import router
from sightline.store import alerts, webhooks
from sightline.store.alerts import Raised
from sightline.store.database import Database
from sightline.store.recent import Spread
from sightline.store.schema import Audit, Defect, Delivery, Frame, Inspection, Station, Tally

START_S = 1_000 * 3600.0
HOUR_S = 3600.0


@dataclass
class Line:
    """One station's parts, as ingest would have written them."""

    database: Database
    now_s: float = START_S
    number: int = 0
    tallies: dict[tuple[int, str], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        with self.database.writing() as session:
            session.add(Station(id=1, name="press-3", first_seen_s=0.0, last_seen_s=START_S, clock_ahead_s=None))

    def clock(self) -> float:
        return self.now_s

    def parts(
        self, verdicts: Sequence[str], *, score: float = 1.0, ms: float = 40.0, sure: float | None = None
    ) -> None:
        """One per second up to now."""
        with self.database.writing() as session:
            for place, verdict in enumerate(verdicts):
                at_s = self.now_s - len(verdicts) + place
                self.number += 1
                # scores that are not all the same
                judged = score + 0.1 * math.sin(self.number)
                row = Inspection(
                    id=str(uuid.uuid4()), number=self.number, station_id=1, sequence=self.number, product="cap",
                    recipe=1, kind="production", verdict=verdict, score=judged, at_s=at_s, station_clock_s=at_s,
                    received_s=at_s, total_ms=ms + place / len(verdicts), document="{}",
                )  # fmt: skip
                session.add(row)
                self._defect(session, row, sure)
                self._tally(session, int(at_s // HOUR_S), verdict)

    def _defect(self, session, row: Inspection, sure: float | None) -> None:  # type: ignore[no-untyped-def]
        if sure is None:
            return
        session.flush()
        frame = Frame(inspection_id=row.id, view="top", verdict=row.verdict)
        session.add(frame)
        session.flush()
        place = {"x": 0, "y": 0, "width": 1, "height": 1, "area_px": 1, "peak": 1.0}
        session.add(Defect(inspection_id=row.id, frame_id=frame.id, label="dent", confidence=sure, **place))

    def _tally(self, session, hour: int, verdict: str) -> None:  # type: ignore[no-untyped-def]
        key = (hour, 1, "cap", "production", verdict, "", "", "", "")
        row = session.get(Tally, key)
        if row is None:
            row = Tally(hour=hour, station_id=1, product="cap", kind="production", verdict=verdict, cause="", label="")
            row.parts = row.defects = row.late = 0
            session.add(row)
        row.parts += 1


@pytest.fixture
def line(database: Database) -> Line:
    return Line(database)


def rule(database: Database, kind: str, **params: float) -> None:
    with database.writing() as session:
        alerts.set_rule(session, name=kind, kind=kind, params=params, by="ada", now_s=1.0)


def watch(line: Line, **disks: Path) -> Watch:
    return Watch(line.database, disks, clock=line.clock)


def found(database: Database, *, still_open: bool = True) -> list[Raised]:
    with database.reading() as session:
        return alerts.alerts(session, still_open=still_open)


def test_a_spike_of_rejects_is_told_once_acknowledged_and_ends_by_itself(line: Line) -> None:
    database = line.database
    with database.writing() as session:
        webhooks.add(
            session, url="https://x.test/", events=["alert.raised", "alert.ended"], secret="s", author="a", now_s=1.0
        )
    rule(database, "defect rate", window_min=5.0, baseline_h=2.0)
    watching = watch(line)
    line.now_s += HOUR_S  # at the end of an hour of 1 %
    line.parts((["PASS"] * 99 + ["REJECT"]) * 4)
    line.now_s += 400.0
    line.parts(["PASS"] * 97 + ["REJECT"] * 3)
    assert watching.look() == 0, "3 of 100 happen where 1 % are usual"
    line.parts(["PASS"] * 10 + ["REJECT"] * 10)
    assert watching.look() == 1
    line.now_s += 10.0
    assert watching.look() == 0
    (alert,) = found(database)
    assert (alert.rule, alert.subject, alert.times) == ("defect rate", "press-3/cap", 2)
    assert alert.message.startswith("13 of 120 parts rejected in 5 minutes (10.8%); usual are 4 of 400 (1.0%)")
    with database.writing() as session:
        assert alerts.acknowledge(session, alert.id, by="bob", now_s=line.now_s).acknowledged_by == "bob"
    line.now_s += 400.0
    line.parts(["PASS"] * 100)
    watching.look()
    assert found(database) == []
    assert found(database, still_open=False)[0].ended_s == line.now_s
    with database.reading() as session:
        assert [row.event for row in session.scalars(select(Delivery))] == ["alert.raised", "alert.ended"]
        assert "acknowledge alert" in session.scalars(select(Audit.action)).all()


def test_an_alert_waits_some_time_before_it_ends(line: Line) -> None:
    rule(line.database, "station silent", after_s=100.0)
    watching = watch(line)
    line.now_s = START_S + 100.0
    assert watching.look() == 1
    with line.database.writing() as session:
        session.get_one(Station, 1).last_seen_s = line.now_s
    line.now_s += CALM_S - 1
    watching.look()
    assert len(found(line.database)) == 1
    line.now_s += 1
    watching.look()
    assert found(line.database) == []


@pytest.mark.parametrize(
    ("seconds", "told"), [(0.0, "0 s"), (119.0, "119 s"), (150.0, "2 minutes"), (3704.0, "62 minutes"), (2e5, "2 days")]
)
def test_a_silence_is_told_as_people_say_it(seconds: float, told: str) -> None:
    assert told_span(seconds) == told


def test_a_station_that_was_taken_away_is_forgotten(line: Line) -> None:
    rule(line.database, "station silent", after_s=100.0, forget_days=1.0)
    line.now_s = START_S + 86_500.0
    assert watch(line).look() == 0


def test_slow_parts_are_told(line: Line) -> None:
    rule(line.database, "latency", p99_ms=100.0)
    watching = watch(line)
    line.parts(["PASS"] * 199)
    assert watching.look() == 0
    line.parts(["PASS"] * 3, ms=250.0)
    assert watching.look() == 1
    assert "1 % of 202 parts took 250 ms or longer" in found(line.database)[0].message


def test_names_that_are_less_sure_are_told(line: Line) -> None:
    rule(line.database, "confidence drop", window_min=5.0)
    line.parts(["REJECT"] * 30, sure=0.9)
    line.now_s += 600.0
    line.parts(["REJECT"] * 30, sure=0.7)
    assert watch(line).look() == 1
    assert "0.70 on average; usual are 0.90" in found(line.database)[0].message


@pytest.mark.parametrize(("score", "raised"), [(1.01, 0), (1.2, 1), (0.8, 1)])
def test_scores_that_move_are_told_in_either_direction(line: Line, score: float, raised: int) -> None:
    rule(line.database, "drift", window_min=5.0, least=50)
    line.parts(["PASS"] * 80)
    line.now_s += 600.0
    line.parts(["PASS"] * 80, score=score)
    assert watch(line).look() == raised


def test_a_full_disk_is_told_and_one_that_is_gone(sqlite: Database, tmp_path: Path) -> None:
    line = Line(sqlite)
    rule(sqlite, "disk", least_free=1.0)
    assert watch(line, pictures=tmp_path, gone=tmp_path / "gone").look() == 2
    assert {alert.subject for alert in found(sqlite)} == {"pictures", "gone"}


def test_a_rule_that_cannot_be_asked_stops_no_other(sqlite: Database, caplog: pytest.LogCaptureFixture) -> None:
    line = Line(sqlite)
    rule(sqlite, "a kind of tomorrow")
    rule(sqlite, "station silent", after_s=1.0)
    line.now_s += 100.0
    watching = watch(line)
    with caplog.at_level(logging.WARNING):
        assert watching.look() == 1
    assert watching.failures == 1
    assert "a kind of tomorrow" in caplog.text


def test_the_watch_looks_by_itself(sqlite: Database) -> None:
    from tests.line.deadline import until

    line = Line(sqlite)
    rule(sqlite, "station silent", after_s=1.0)
    line.now_s += 100.0
    watching = Watch(sqlite, {}, every_s=0.02, clock=line.clock).start()
    try:
        until(lambda: len(found(sqlite)) == 1)
    finally:
        watching.close()


@pytest.mark.parametrize(
    ("count", "total", "probability", "expected"),
    [
        pytest.param(0, 10, 0.1, 1.0, id="none is no surprise"),
        pytest.param(1, 1, 0.25, 0.25, id="one of one"),
        pytest.param(2, 2, 0.5, 0.25, id="two of two"),
        pytest.param(9, 10, 0.5, 11 / 1024, id="nine of ten heads"),
        pytest.param(10, 10, 0.5, 1 / 1024, id="ten of ten heads"),
    ],
)
def test_the_binomial_tail_is_exact(count: int, total: int, probability: float, expected: float) -> None:
    assert upper_tail(count, total, probability) == pytest.approx(expected, rel=1e-9)


def test_means_are_compared_in_their_own_deviation() -> None:
    one, other = Spread(count=16, mean=10.0, deviation=4.0), Spread(count=9, mean=5.0, deviation=0.0)
    assert apart(one, other) == pytest.approx(5.0)
    assert apart(other, Spread(count=4, mean=6.0, deviation=0.0)) == math.inf


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        ("defects", {}),
        ("latency", {}),
        ("latency", {"p99_ms": math.nan}),
        ("disk", {"least_free": 2}),
        ("disk", {"least": 0.1}),
        ("drift", {"least": "10"}),
    ],
)
def test_a_rule_that_cannot_work_is_refused(kind: str, params: dict[str, object]) -> None:
    with pytest.raises(OptionError):
        checked(kind, params)


def test_every_kind_says_what_it_watches() -> None:
    assert all(len(one["told"]) > 20 for one in described())


def test_the_routes(sqlite: Database, plant_of: Callable[..., Plant]) -> None:
    line = Line(sqlite)
    with application(plant_of(sqlite), router) as client:
        body = {"kind": "station silent", "params": {"after_s": 50.0}}
        assert client.put("/api/v1/alerts/rules/quiet", json=body).json()["name"] == "quiet"
        assert client.put("/api/v1/alerts/rules/quiet", json=body | {"kind": "x"}).status_code == 422
        assert [one["name"] for one in client.get("/api/v1/alerts/rules").json()] == ["quiet"]
        assert client.get("/api/v1/alerts/kinds").status_code == 200
        line.now_s += 100.0
        watch(line).look()
        page = client.get("/api/v1/alerts?open=true").json()
        assert page["unacknowledged"] == 1
        number = page["alerts"][0]["id"]
        assert client.post(f"/api/v1/alerts/{number}/acknowledge").json()["acknowledged_by"] == "ada"
        assert client.post(f"/api/v1/alerts/{number}/acknowledge").status_code == 409
        assert client.post("/api/v1/alerts/999/acknowledge").status_code == 404
        assert client.get("/api/v1/alerts").json()["unacknowledged"] == 0
        assert client.delete("/api/v1/alerts/rules/quiet").status_code == 204
        assert client.get("/api/v1/alerts?open=true").json()["alerts"] == []
        assert json.loads(client.get("/api/v1/alerts?limit=1").text)["next"] == number
    with application(plant_of(sqlite), router, role=Role.OPERATOR) as operator:
        assert operator.put("/api/v1/alerts/rules/quiet", json=body).status_code == 403


def test_a_new_plant_has_rules_once_and_keeps_what_people_make_of_them(database: Database) -> None:
    with database.writing() as session:
        alerts.set_rule(session, name="slow parts", kind="latency", params={"p99_ms": 5.0}, by="ada", now_s=1.0)
        assert alerts.add_defaults(session, 2.0)
    with database.writing() as session:
        made = {rule.name: rule for rule in alerts.rules(session, active=True)}
        assert set(made) == set(alerts.DEFAULTS)
        assert made["slow parts"].params == {"p99_ms": 5.0}
        for rule in made.values():
            assert checked(rule.kind, rule.params)
        alerts.remove_rule(session, "scores drift", by="ada", now_s=3.0)
    with database.writing() as session:
        assert not alerts.add_defaults(session, 4.0)
        assert "scores drift" not in {rule.name for rule in alerts.rules(session)}


def test_servers_that_start_at_once_make_the_rules_once(database: Database) -> None:
    start, made = threading.Barrier(2, timeout=30), []

    def add() -> None:
        start.wait()
        with database.writing() as session:
            made.append(alerts.add_defaults(session, 2.0))

    threads = [threading.Thread(target=add) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(made) == [False, True]
