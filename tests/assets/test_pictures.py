"""Pictures are kept whole, by their content, and no longer and no shorter than they must be."""

import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest
from tests.assets.conftest import DAY_S, NOW_S, inspected, png

from sightline.errors import AccessError, ConflictError, FrameError, NotFoundError, OptionError, StoreError
from sightline.store import holds, tiering
from sightline.store.database import Database
from sightline.store.datasets import Item, Making, add_version
from sightline.store.lifecycle import gcs_lifecycle, s3_lifecycle
from sightline.store.pictures import Pictures, Sent, ViewOf
from sightline.store.retention import Kept, Retention, Rule, Tier, read_retention
from sightline.store.schema import Base, Frame, Picture
from sightline.store.shelf import SHARDS, Shelf, digest_of

ONE = png(1)
NAME = digest_of(ONE)
KILLS = int(os.environ.get("SIGHTLINE_KILLS", "8"))  # of each kind


def keep(pictures: Pictures, content: bytes = ONE, kept: Kept = Kept.PASS, now_s: float = NOW_S) -> str:
    return pictures.keep(content, kept=kept, now_s=now_s)


def bytes_on(pictures: Pictures, digest: str = NAME) -> list[str]:
    return [tier for tier in (Tier.HOT, Tier.NEARLINE, Tier.ARCHIVE) if pictures.shelf(tier).has(digest)]


def swept(pictures: Pictures) -> int:
    return sum(tiering.sweep(pictures, shard).swept for shard in range(len(SHARDS)))


def test_what_is_stored_is_what_is_read(pictures: Pictures) -> None:
    assert keep(pictures) == keep(pictures) == NAME
    assert pictures.read(NAME) == ONE
    known = pictures.known(NAME)
    assert (known.media_type, known.size_bytes, known.tier) == ("image/png", len(ONE), Tier.HOT)


@pytest.mark.parametrize(
    ("content", "digest", "media_type", "told"),
    [
        pytest.param(b"<svg/>", "", "", "is not a PNG", id="no picture"),
        pytest.param(ONE[:-40], "", "", "cut short", id="cut short"),
        pytest.param(ONE, "0" * 64, "", "damaged on its way", id="another digest"),
        pytest.param(ONE, "", "image/jpeg", "is image/png, not image/jpeg", id="another type"),
        pytest.param(png(2, 1200, 1200), "", "", "megapixels", id="too many pixels"),
        pytest.param(bytes(200_000), "", "", "the most is", id="too many bytes"),
    ],
)
def test_what_cannot_be_used_is_refused_and_nothing_of_it_stays(
    content: bytes, digest: str, media_type: str, told: str, tmp_path: Path
) -> None:
    shelf = Shelf(str(tmp_path / "hot"))
    most = 100_000 if len(content) == 200_000 else 8 << 20
    database = Database(f"sqlite:///{tmp_path / 'none.db'}")  # never reached
    pictures = Pictures(database, {Tier.HOT: shelf}, Retention(), most_bytes=most, max_megapixels=1.0)
    with pytest.raises(FrameError, match=told):
        pictures.keep(content, kept=Kept.PASS, now_s=NOW_S, digest=digest, media_type=media_type)
    assert not [path for path in (tmp_path / "hot").rglob("*") if path.is_file()]


@pytest.mark.parametrize("name", ["../../etc/passwd", "0" * 63, "A" * 64, ""])
def test_nothing_but_a_digest_names_a_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(OptionError):
        Shelf(str(tmp_path)).get(name, 10)


def test_a_damaged_file_is_never_given_out(pictures: Pictures, tmp_path: Path) -> None:
    keep(pictures)
    (tmp_path / "hot" / NAME[:2] / NAME).write_bytes(ONE[:-1] + b"\0")
    with pytest.raises(StoreError, match="damaged"):
        pictures.read(NAME)


def test_a_view_gets_its_picture_once(pictures: Pictures, database: Database) -> None:
    inspection = inspected(database, 1, verdict="REJECT")
    view = ViewOf(inspection_id=inspection, view="top", station="line-1")
    for _ in range(2):
        assert pictures.link(ONE, view, digest=NAME, media_type="image/png", now_s=NOW_S) == NAME
    assert pictures.known(NAME).kept_as is Kept.REJECT
    with database.reading() as session:
        assert session.query(Frame).one().picture == NAME
    other = png(2)
    with pytest.raises(ConflictError, match="never replaced"):
        pictures.link(other, view, digest=digest_of(other), media_type="", now_s=NOW_S)
    foreign = ViewOf(inspection_id=inspection, view="top", station="line-2")
    with pytest.raises(AccessError, match="line-2"):
        pictures.link(ONE, foreign, digest=NAME, media_type="", now_s=NOW_S)
    with pytest.raises(NotFoundError, match="send its record first"):
        pictures.link(ONE, ViewOf(inspection_id="none", view="top"), digest=NAME, media_type="", now_s=NOW_S)


def test_of_several_pictures_one_that_is_wrong_stops_no_other(pictures: Pictures, database: Database) -> None:
    views = [ViewOf(inspection_id=inspected(database, number), view="top", station="line-1") for number in (1, 2, 3)]
    two, three = png(2), png(3)

    def sent(content: bytes, view: ViewOf, digest: str = "") -> Sent:
        return Sent(content=content, view=view, digest=digest, media_type="image/png")

    several = [
        sent(ONE, views[0]),
        sent(two, views[1], "0" * 64),
        sent(two, ViewOf(inspection_id="none", view="top")),
        sent(three, views[2]),
        sent(two, views[2]),  # the view has one by now
    ]
    for _ in range(2):
        kept = pictures.link_all(several, now_s=NOW_S)
        became = [one if isinstance(one, str) else type(one) for one in kept]
        assert became == [NAME, FrameError, NotFoundError, digest_of(three), ConflictError]
    assert (pictures.read(NAME), pictures.read(digest_of(three))) == (ONE, three)
    with database.reading() as session:
        assert {row.picture for row in session.query(Frame)} == {NAME, None, digest_of(three)}


def test_pictures_are_not_confirmed_where_the_disk_refuses_one(
    pictures: Pictures, database: Database, tmp_path: Path
) -> None:
    views = [ViewOf(inspection_id=inspected(database, number), view="top") for number in (1, 2)]
    several = [Sent(content=png(n), view=view, digest="", media_type="") for n, view in enumerate(views, 1)]
    shard = tmp_path / "hot" / digest_of(png(2))[:2]
    shard.rmdir()
    with pytest.raises(StoreError):
        pictures.link_all(several, now_s=NOW_S)
    with database.reading() as session:
        assert [row.picture for row in session.query(Frame)] == [None, None]
    shard.mkdir()
    assert pictures.link_all(several, now_s=NOW_S) == [digest_of(png(1)), digest_of(png(2))]


def test_pictures_move_with_their_age_and_go_at_its_end(pictures: Pictures) -> None:
    keep(pictures, kept=Kept.REJECT)
    for days, tier in ((29, Tier.HOT), (30, Tier.NEARLINE), (179, Tier.NEARLINE), (180, Tier.ARCHIVE)):
        tiering.move(pictures, now_s=NOW_S + days * DAY_S)
        assert pictures.known(NAME).tier is tier
        assert bytes_on(pictures) == [tier]
        assert pictures.read(NAME) == ONE
    done = tiering.move(pictures, now_s=NOW_S + 730 * DAY_S)
    assert (done.removed, done.freed_bytes, done.failed) == (1, len(ONE), 0)
    assert bytes_on(pictures) == []
    with pytest.raises(NotFoundError, match="removed when its time was over"):
        pictures.read(NAME)
    keep(pictures, now_s=NOW_S + 800 * DAY_S)  # it came again
    assert pictures.read(NAME) == ONE


def test_an_old_picture_goes_straight_to_the_coldest_tier(pictures: Pictures) -> None:
    keep(pictures, kept=Kept.REJECT)
    late = NOW_S + 200 * DAY_S
    planned = tiering.move(pictures, now_s=late, dry_run=True)
    assert (planned.moved, planned.moved_bytes, bytes_on(pictures)) == (1, len(ONE), [Tier.HOT])
    assert tiering.move(pictures, now_s=late) == planned
    assert bytes_on(pictures) == [Tier.ARCHIVE]


def test_a_run_ends_at_its_bound_and_says_that_there_is_more(pictures: Pictures) -> None:
    for seed in range(3):
        keep(pictures, png(seed))
    late = NOW_S + 40 * DAY_S
    assert tiering.move(pictures, now_s=late, stopped=lambda: True) == tiering.Progress(more=True)
    done = tiering.move(pictures, now_s=late, most=2)
    assert (done.removed, done.more) == (2, True)
    done = tiering.move(pictures, now_s=late, most=2)
    assert (done.removed, done.more) == (1, False)


def test_what_cannot_be_moved_is_told_and_does_not_stop_the_others(pictures: Pictures, tmp_path: Path) -> None:
    keep(pictures)
    keep(pictures, png(2))
    (tmp_path / "hot" / NAME[:2] / NAME).write_bytes(b"damaged")
    done = tiering.move(pictures, now_s=NOW_S + 8 * DAY_S)
    assert (done.moved, done.failed) == (1, 1)
    assert "damaged" in done.faults[0]


def test_what_a_data_set_or_a_hold_needs_is_never_removed(pictures: Pictures, database: Database) -> None:
    held = png(2)
    inspection = inspected(database, 1)
    view = ViewOf(inspection_id=inspection, view="top")
    pictures.link(held, view, digest=digest_of(held), media_type="", now_s=NOW_S)
    hold = holds.place(database, product="cap", serial="S1", reason="complaint", by="ada", now_s=NOW_S)
    keep(pictures)
    add_version(pictures, Making(dataset="cap", author="ada"), [Item(picture=NAME, name="a.png")], now_s=NOW_S)
    with database.writing() as session:  # even where the row says otherwise
        session.query(Picture).update({"kept_as": Kept.PASS, "keep_until_s": NOW_S})
    late = NOW_S + 4000 * DAY_S
    done = tiering.move(pictures, now_s=late)
    assert (done.removed, done.held) == (0, 2)
    assert pictures.read(NAME) == ONE
    holds.lift(database, hold.id, by="ada", now_s=late)
    assert tiering.move(pictures, now_s=late).removed == 1


def test_longer_rules_also_count_for_what_came_before_them(pictures: Pictures, database: Database) -> None:
    keep(pictures)
    pictures.retention = Retention(keep=(Rule(name=Kept.PASS, remove_days=100.0),))
    assert tiering.move(pictures, now_s=NOW_S + 99 * DAY_S).removed == 0
    pictures.retention = Retention(keep=(Rule(name=Kept.PASS, remove_days=1.0),))
    assert tiering.move(pictures, now_s=NOW_S + 29 * DAY_S).removed == 0, "what was promised is kept"
    assert tiering.move(pictures, now_s=NOW_S + 30 * DAY_S).removed == 1


def test_bytes_that_no_row_speaks_for_are_swept_and_a_slow_upload_survives_it(pictures: Pictures) -> None:
    found = pictures.examined(ONE)
    pictures.shelf(Tier.HOT).put(NAME, ONE)  # an upload that was killed, or is just slow
    assert swept(pictures) == 1
    assert bytes_on(pictures) == []
    with pictures.database.writing() as session:  # it was slow: now it enters its row
        pictures.enter(session, found, ONE, kept=Kept.PASS, now_s=NOW_S)
    assert pictures.read(NAME) == ONE
    pictures.shelf(Tier.ARCHIVE).put(NAME, ONE)  # a move that was killed after its copy
    assert swept(pictures) == 1
    assert bytes_on(pictures) == [Tier.HOT]


def test_uploads_of_one_picture_at_once_are_one_picture(pictures: Pictures) -> None:
    faults: list[BaseException] = []

    def upload() -> None:
        try:
            keep(pictures)
        except BaseException as error:
            faults.append(error)
            raise

    threads = [threading.Thread(target=upload) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert faults == []
    assert pictures.read(NAME) == ONE


def counting(action: Callable[[], object], kill_at: int = 0) -> int:
    """How many functions of the store it enters; the process is killed when it enters that one."""
    calls = 0

    def counted(frame: FrameType, event: str, _: object) -> None:
        nonlocal calls
        if event == "call" and "/sightline/store/" in frame.f_code.co_filename:
            calls += 1
            if calls == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(counted)
    try:
        action()
    finally:
        sys.setprofile(None)
    return calls


def was_killed(action: Callable[[], object], step: int) -> bool:
    """Run it in a process of its own, which is killed at that step if it gets there."""
    child = os.fork()
    if child == 0:
        try:
            counting(action, step)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def opened(folder: Path) -> Pictures:
    """The same plant, as a process of its own has it."""
    shelves = {tier: Shelf(str(folder / tier)) for tier in (Tier.HOT, Tier.NEARLINE)}
    return Pictures(Database(f"sqlite:///{folder / 'plant.db'}"), shelves, Retention())


@pytest.mark.parametrize("days", [0, 8, 40], ids=["upload", "move", "removal"])
def test_a_kill_anywhere_loses_nothing(days: int, tmp_path: Path) -> None:
    pictures = opened(tmp_path)
    Base.metadata.create_all(pictures.database.engine)

    def act(content: bytes) -> None:
        own = opened(tmp_path)
        if days:
            tiering.move(own, now_s=NOW_S + days * DAY_S)
        else:
            keep(own, content)
        own.database.close()

    if days:
        keep(pictures, png(1000))
    calls = counting(lambda: act(png(1000)))
    for step in sorted({1 + number * (calls - 1) // KILLS for number in range(KILLS + 1)}):
        content = png(1000 + step)
        digest = digest_of(content)
        if days:
            keep(pictures, content)
        pictures.database.close()  # a connection must not be shared with the child
        assert was_killed(lambda content=content: act(content), step)  # type: ignore[misc]
        with pictures.database.reading() as session:
            row = session.get(Picture, digest)
            tier = Tier(row.tier) if row else Tier.GONE
        if tier is not Tier.GONE:  # what a row speaks for is there, and whole
            assert pictures.shelf(tier).get(digest, 1 << 20) == content
        assert not days or row is not None
        assert days != 8 or tier is not Tier.GONE
        act(content)  # it is sent again, or the next run comes
        tiering.sweep(pictures, SHARDS.index(digest[:2]))
        there = [tier for tier in (Tier.HOT, Tier.NEARLINE) if pictures.shelf(tier).has(digest)]
        assert there == {0: [Tier.HOT], 8: [Tier.NEARLINE], 40: []}[days]
    pictures.database.close()


RULES = """
regulated = ["implant-*"]
[[keep]]
name = "pass"
remove_days = 1
"""


def test_rules_come_from_a_file_and_each_class_has_one(tmp_path: Path) -> None:
    path = tmp_path / "retention.toml"
    path.write_text(RULES)
    rules = read_retention(path)
    assert rules.rule(Kept.PASS).remove_days == 1
    assert rules.rule(Kept.REJECT).remove_days == 730
    kept = {"verdict": "PASS", "kind": "production", "reviewed": False}
    assert rules.class_of(product="implant-7", **kept) is Kept.REGULATED  # type: ignore[arg-type]
    assert rules.class_of(product="cap", **kept) is Kept.PASS  # type: ignore[arg-type]
    assert rules.class_of(product="cap", verdict="PASS", kind="audit", reviewed=False) is Kept.REJECT
    assert rules.class_of(product="cap", verdict="FAULT", kind="production", reviewed=True) is Kept.REVIEWED
    path.write_text('[[keep]]\nname = "regulated"\nremove_days = 365\n')
    with pytest.raises(OptionError, match="seven years"):
        read_retention(path)
    path.write_text('[[keep]]\nname = "pass"\nnearline_days = 9\nremove_days = 3\n')
    with pytest.raises(OptionError, match="must follow each other"):
        read_retention(path)


def test_buckets_get_rules_that_remove_nothing_that_is_kept_for_ever() -> None:
    addresses = {Tier.HOT: "s3://plant/hot", Tier.NEARLINE: "s3://plant/nearline", Tier.ARCHIVE: "gs://cold/archive"}
    rules = s3_lifecycle(Retention(), addresses, "plant")["Rules"]
    assert isinstance(rules, list)
    assert [rule["Filter"]["Prefix"] for rule in rules] == ["hot/", "nearline/"]
    assert rules[1]["Transitions"] == [{"Days": 30, "StorageClass": "STANDARD_IA"}]
    assert "Expiration" not in rules[0], "data sets are kept for ever"
    ending = Retention(keep=(Rule(name=Kept.DATASET, remove_days=1000.0),))
    rules = s3_lifecycle(ending, addresses, "plant")["Rules"]
    assert isinstance(rules, list)
    assert rules[0]["Expiration"] == {"Days": 2557 + 30}  # regulated parts last longest, seven years
    cold = gcs_lifecycle(Retention(), addresses, "cold")["rule"]
    assert cold == [
        {"action": {"type": "AbortIncompleteMultipartUpload"}, "condition": {"age": 1}},
        {
            "action": {"type": "SetStorageClass", "storageClass": "ARCHIVE"},
            "condition": {"age": 0, "matchesPrefix": ["archive/"]},
        },
    ]
    with pytest.raises(OptionError, match="folder of its own"):
        s3_lifecycle(Retention(), {Tier.HOT: "s3://plant"}, "plant")
    with pytest.raises(OptionError, match="no tier lies there"):
        s3_lifecycle(Retention(), addresses, "other")
