"""Stored parts judged again by another model: what would change, and what people had said."""

import csv
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from tests.line.parts import outcome
from tests.service.server import picture, sight
from tests.store.lines import Teller

from sightline.bundle import load
from sightline.errors import DatasetError, OptionError
from sightline.feedback.reviews import Decision, decide
from sightline.line.outcome import ViewOutcome
from sightline.records import Verdict
from sightline.service.job_kinds import KINDS
from sightline.service.job_task import Site, Task, checked
from sightline.store.database import Database
from sightline.store.ingest import ingest
from sightline.store.models import Upload, add
from sightline.store.pictures import Pictures, ViewOf
from sightline.store.retention import Tier
from sightline.store.schema import Picture

BRIGHTEST = (60, 120, 140, 200)  # of parts 1 to 4; version 1 rejects from 100 on, version 2 from 130 on
FIRST_S = 1.8e9


@dataclass(frozen=True, kw_only=True)
class Plant:
    """Four parts that version 1 judged, with their pictures."""

    site: Site
    database: Database
    pictures: Pictures
    ids: tuple[str, ...]
    digests: tuple[str, ...]

    def rejudged(self, **params: object) -> dict[str, Any]:
        """The result of the job, and its rows as `rows`."""
        folder = self.site.folder_of("job")
        folder.mkdir(exist_ok=True)
        kind, options = checked(KINDS, "rejudge", {"model": "cap/2"} | params)
        task = Task(site=self.site, folder=folder, author="ada", progress=lambda *_: None, say=print)
        result: dict[str, Any] = json.loads(json.dumps(kind.run(options, task), allow_nan=False))
        with (folder / result["file"]).open(newline="") as file:
            return result | {"rows": list(csv.DictReader(file))}


@pytest.fixture
def plant(sqlite: Database, tmp_path: Path) -> Plant:
    for name in ("data", "results"):
        (tmp_path / name).mkdir()
    site = Site(
        database=sqlite.engine.url.render_as_string(hide_password=False),
        data=tmp_path / "data",
        results=tmp_path / "results",
        models=str(tmp_path / "models"),
        pictures={"hot": str(tmp_path / "pictures")},
    )
    for reject in (100.0, 130.0):
        file = sight(tmp_path / "cap.sight", reject=reject)
        add(sqlite, site.model_files(), file, Upload(name="cap", author="ada", note=""), now_s=1.0)
    first = load(sight(tmp_path / "cap.sight", reject=100.0)).model_id
    pictures, teller = site.kept_pictures(sqlite), Teller()
    parts = [
        replace(outcome(number, verdict=verdict, unix_s=FIRST_S + number, serial=f"=S{number}"), views=views)
        for number, brightest in enumerate(BRIGHTEST, 1)
        for verdict in (Verdict.REJECT if brightest >= 100 else Verdict.PASS,)
        for views in ((_view("top", verdict, first, brightest), _view("side", Verdict.PASS, "another", 1)),)
    ]
    ingest(sqlite, teller.tell(*parts), now_s=FIRST_S + 10)
    digests = tuple(
        pictures.link(
            picture(brightest),
            ViewOf(inspection_id=part.id, view="top"),
            digest="",
            media_type="",
            now_s=FIRST_S + 10,
        )
        for part, brightest in zip(parts, BRIGHTEST, strict=True)
    )
    ids = tuple(part.id for part in parts)
    return Plant(site=site, database=sqlite, pictures=pictures, ids=ids, digests=digests)


def _view(name: str, verdict: Verdict, model_id: str, score: float) -> ViewOutcome:
    return ViewOutcome(view=name, verdict=verdict, score=score, threshold=100.0, model_id=model_id)


def test_what_would_change_is_counted_and_listed(plant: Plant) -> None:
    decide(plant.pictures, Decision(inspection_id=plant.ids[1], verdict=Verdict.PASS), reviewer="ann", now_s=1.0)
    decide(plant.pictures, Decision(inspection_id=plant.ids[3], verdict=Verdict.REJECT), reviewer="ann", now_s=1.0)
    found = plant.rejudged()
    assert (found["parts"], found["pictures"], found["missing"], found["changed_parts"]) == (4, 4, 0, 1)
    assert found["verdicts"] == {"PASS": 2, "REJECT": 2}
    assert found["changes"] == {"REJECT to PASS": 1}
    (changed,) = found["changed"]
    assert (changed["inspection"], changed["score"], changed["threshold"]) == (plant.ids[1], 120.0, 130.0)
    assert found["decided"] == {
        "escape": {"parts": 1, "before": 0, "now": 0},
        "overkill": {"parts": 1, "before": 1, "now": 0},
    }
    assert [row["verdict"] for row in found["rows"]] == ["REJECT", "REJECT", "PASS", "PASS"], "the newest first"
    assert found["rows"][0]["serial"] == "'=S4", "no spreadsheet computes it"
    assert {row["view"] for row in found["rows"]} == {"top"}, "another model judged the other view"


@pytest.mark.parametrize(
    ("params", "parts"),
    [
        ({"since_s": FIRST_S + 3}, (3, 2)),
        ({"until_s": FIRST_S + 2}, (0,)),
        ({"verdict": "PASS"}, (0,)),
        ({"serial": "=S2"}, (1,)),
        ({"most": 1}, (3,)),
    ],
)
def test_parts_are_chosen(params: dict[str, object], parts: tuple[int, ...], plant: Plant) -> None:
    assert [row["inspection"] for row in plant.rejudged(**params)["rows"]] == [plant.ids[part] for part in parts]


def test_a_picture_that_is_gone_is_missing_and_one_that_is_damaged_is_a_fault(plant: Plant) -> None:
    with plant.database.writing() as session:
        row = session.get(Picture, plant.digests[0])
        assert row is not None
        row.tier = Tier.GONE
    damaged = next(Path(plant.site.pictures["hot"]).rglob(f"*{plant.digests[2]}*"))
    damaged.chmod(0o600)
    damaged.write_bytes(damaged.read_bytes()[:-20])
    found = plant.rejudged()
    assert (found["missing"], found["pictures"]) == (1, 3)
    assert found["verdicts"] == {"REJECT": 1, "FAULT": 1, "PASS": 1}
    assert found["changes"]["REJECT to FAULT"] == 1
    assert next(row for row in found["rows"] if row["verdict"] == "FAULT")["reason"]


def test_nothing_to_judge_is_said_with_what_to_do(plant: Plant) -> None:
    with pytest.raises(DatasetError, match=r"of 4 parts no picture is stored.*name a view"):
        plant.rejudged(view="side")
    with pytest.raises(DatasetError, match="of 0 parts"):
        plant.rejudged(product="lid")
    with pytest.raises(OptionError, match="most is 0"):
        plant.rejudged(most=0)
