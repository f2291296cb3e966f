"""Of each name one version is current, and it is known who made it so and why."""

import threading
from pathlib import Path

import pytest
from tests.assets.conftest import news, wanted
from tests.test_bundle import packed, small_graph, small_manifest

from sightline import bundle
from sightline.errors import BundleError, ConflictError, NotFoundError, OptionError, StoreError
from sightline.store import models, recipes
from sightline.store.database import Database
from sightline.store.models import Change, KnownModel, ModelFiles, Upload
from sightline.store.schema import Audit
from sightline.store.shelf import Shelf

NOW_S = 1_790_000_000.0
WHY = Change(by="ada", reason="fewer false alarms")


@pytest.fixture
def files(tmp_path: Path) -> ModelFiles:
    return ModelFiles(Shelf(str(tmp_path / "models")), tmp_path / "cache")


def add(database: Database, files: ModelFiles, tmp_path: Path, number: int) -> KnownModel:
    """A version whose threshold is its number."""
    from dataclasses import replace

    path = tmp_path / f"{number}.sight"
    manifest = small_manifest()
    thresholds = replace(manifest.thresholds, reject=float(number), review=None)
    bundle.save(path, small_graph(), replace(manifest, thresholds=thresholds))
    return models.add(database, files, path, Upload(name="cap", author="ada"), now_s=NOW_S)


def test_a_model_is_known_once_and_its_file_is_what_was_brought(
    database: Database, files: ModelFiles, tmp_path: Path
) -> None:
    first = add(database, files, tmp_path, 1)
    assert add(database, files, tmp_path, 1) == first
    assert (first.version, first.status, first.method) == (1, "candidate", small_manifest().method)
    assert bundle.load(files.path_of(first.digest)).model_id == first.model_id
    assert "good_scores" not in models.manifest_of(database, "cap", 1)["calibration"]


def test_what_is_no_model_is_not_kept(database: Database, files: ModelFiles, tmp_path: Path) -> None:
    path = tmp_path / "evil.sight"
    path.write_bytes(packed()[:-10])
    with pytest.raises(BundleError):
        models.add(database, files, path, Upload(name="cap", author="ada"), now_s=NOW_S)
    assert models.listed(database) == []
    assert not [found for found in (tmp_path / "models").rglob("*") if found.is_file()]
    for name in ("../cap", "", "a/b", "cäp", ".cap"):
        with pytest.raises(OptionError, match="name"):
            Upload(name=name, author="ada")


def test_models_are_promoted_rolled_back_and_withdrawn(database: Database, files: ModelFiles, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        add(database, files, tmp_path, number)
    with pytest.raises(NotFoundError, match="no current version"):
        models.one(database, "cap")
    for number in (1, 2, 3):
        models.promote(database, "cap", number, WHY, now_s=NOW_S + number)
        assert models.one(database, "cap").version == number
    with pytest.raises(ConflictError, match="already"):
        models.promote(database, "cap", 3, WHY, now_s=NOW_S)
    with pytest.raises(ConflictError, match="is current"):
        models.withdraw(database, "cap", 3, WHY)
    assert models.roll_back(database, "cap", WHY, now_s=NOW_S + 4).version == 2
    assert models.roll_back(database, "cap", WHY, now_s=NOW_S + 5).version == 1
    with pytest.raises(ConflictError, match="no version before"):
        models.roll_back(database, "cap", WHY, now_s=NOW_S)
    models.promote(database, "cap", 2, WHY, now_s=NOW_S + 6)
    models.promote(database, "cap", 3, WHY, now_s=NOW_S + 7)
    models.withdraw(database, "cap", 2, WHY)
    assert models.roll_back(database, "cap", WHY, now_s=NOW_S + 8).version == 1, "2 was withdrawn"
    with pytest.raises(ConflictError, match="withdrawn"):
        models.promote(database, "cap", 2, WHY, now_s=NOW_S)
    told = [(step.version, step.before) for step in models.history(database, "cap")]
    assert told == [(1, 3), (3, 2), (2, 1), (1, 2), (2, 3), (3, 2), (2, 1), (1, None)]
    with database.reading() as session:
        actions = [row.action for row in session.query(Audit).order_by(Audit.number)]
    assert actions.count("promote") == 5
    assert actions.count("roll back") == 3
    assert actions[-1] == "roll back"


def test_two_promotions_at_once_leave_exactly_one_current(
    database: Database, files: ModelFiles, tmp_path: Path
) -> None:
    for number in range(1, 7):
        add(database, files, tmp_path, number)
    start, faults = threading.Barrier(6), []

    def promote(version: int) -> None:
        start.wait(30)
        try:
            models.promote(database, "cap", version, WHY, now_s=NOW_S)
        except StoreError as error:
            faults.append(error)

    threads = [threading.Thread(target=promote, args=(version,)) for version in range(1, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert faults == []
    statuses = [model.status for model in models.listed(database, name="cap")]
    assert sorted(statuses) == ["current", *["former"] * 5]
    last = models.history(database, "cap")[0].version
    assert models.one(database, "cap").version == last
    befores = [step.before for step in models.history(database, "cap")]
    assert len(set(befores)) == 6, "each saw what the one before had left"


def test_figures_stand_beside_a_version(database: Database, files: ModelFiles, tmp_path: Path) -> None:
    add(database, files, tmp_path, 1)
    models.attach(database, "cap", 1, {"auroc": 0.9, "set": "golden"}, by="ada")
    assert models.attach(database, "cap", 1, {"auroc": 0.95}, by="ada").figures == {"auroc": 0.95, "set": "golden"}
    with pytest.raises(OptionError, match="not measured"):
        models.attach(database, "cap", 1, {"auroc": float("nan")}, by="ada")


def test_a_bucket_s_model_is_fetched_once_and_checked(tmp_path: Path) -> None:
    shelf = Shelf(f"memory://models-{tmp_path.name}")
    files = ModelFiles(shelf, tmp_path / "cache")
    path = tmp_path / "a.sight"
    path.write_bytes(packed())
    digest = files.keep(path)
    assert files.path_of(digest).read_bytes() == packed()
    shelf.put(digest, b"damaged")
    assert files.path_of(digest).read_bytes() == packed(), "it is here already"
    files.path_of(digest).unlink()
    with pytest.raises(StoreError, match="damaged"):
        files.path_of(digest)
    assert list((tmp_path / "cache").iterdir()) == []


RECIPE = """product = "cap"
number = 3
window_ms = 200
[plc]
kind = "sim"
[[views]]
name = "top"
model = "cap.sight"
[views.camera]
kind = "sim"
[store]
folder = "records"
"""


def test_who_wants_it_is_told_which_model_is_current_now(database: Database, files: ModelFiles, tmp_path: Path) -> None:
    wanted(database, "model.promoted")
    first, second = (add(database, files, tmp_path, number) for number in (1, 2))
    models.promote(database, "cap", 1, WHY, now_s=NOW_S)
    models.promote(database, "cap", 2, WHY, now_s=NOW_S)
    with pytest.raises(ConflictError):
        models.promote(database, "cap", 2, WHY, now_s=NOW_S)  # which is no news
    models.roll_back(database, "cap", WHY, now_s=NOW_S)
    assert [(one["version"], one["before"], one["action"]) for one in news(database)] == [
        (1, None, "promote"),
        (2, 1, "promote"),
        (1, 2, "roll back"),
    ]
    assert [one["digest"] for one in news(database)] == [first.digest, second.digest, first.digest]


def test_who_wants_it_is_told_of_a_recipe_that_is_released(database: Database) -> None:
    wanted(database, "recipe.released")
    recipes.add(database, name="cap", text=RECIPE, author="ada", now_s=NOW_S)
    recipes.release(database, "cap", 1, by="ada", reason="tried", now_s=NOW_S)
    recipes.release(database, "cap", 1, by="ada", reason="too strict", released=False, now_s=NOW_S)
    assert [(one["name"], one["version"], one["by"], one["reason"]) for one in news(database)] == [
        ("cap", 1, "ada", "tried")
    ]


def test_stations_get_the_newest_recipe_that_is_released(database: Database) -> None:
    first = recipes.add(database, name="cap", text=RECIPE, author="ada", now_s=NOW_S)
    assert recipes.add(database, name="cap", text=RECIPE, author="bob", now_s=NOW_S) == first
    with pytest.raises(NotFoundError, match="no released"):
        recipes.one(database, "cap")
    changed = RECIPE.replace("number = 3", "number = 4")
    assert recipes.add(database, name="cap", text=changed, author="ada", now_s=NOW_S).version == 2
    recipes.release(database, "cap", 1, by="ada", reason="tried", now_s=NOW_S)
    assert recipes.one(database, "cap").text == RECIPE
    recipes.release(database, "cap", 2, by="ada", reason="tried", now_s=NOW_S)
    assert recipes.one(database, "cap").version == 2
    with pytest.raises(ConflictError, match="already"):
        recipes.release(database, "cap", 2, by="ada", reason="again", now_s=NOW_S)
    recipes.release(database, "cap", 2, by="ada", reason="too strict", released=False, now_s=NOW_S)
    assert recipes.one(database, "cap").version == 1
    assert "-number = 3\n+number = 4" in recipes.difference(database, "cap", 1, 2)
    assert [one.version for one in recipes.newest(database)] == [2]
    assert [one.version for one in recipes.versions(database, "cap", before=2)] == [1]


def test_a_recipe_that_cannot_work_is_not_saved(database: Database) -> None:
    text = RECIPE.replace("window_ms", "windw_ms").replace('kind = "sim"', 'kind = "none"')
    with pytest.raises(OptionError) as told:
        recipes.add(database, name="cap", text=text, author="ada", now_s=NOW_S)
    assert "did you mean window_ms?" in str(told.value)
    assert "cap.toml, line 3" in str(told.value)
    assert recipes.newest(database) == []
