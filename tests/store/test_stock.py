"""What lies on the shelves, by tier and class, counted without reading the pictures' rows."""

from typing import Any

from sqlalchemy import event, text

from sightline.store.database import Database
from sightline.store.retention import Kept, Tier
from sightline.store.schema import Picture
from sightline.store.stock import Pile, piles


def picture(number: int, tier: Tier, kept: Kept, *, keep_until_s: float | None) -> Picture:
    return Picture(
        digest=f"{number:064x}",
        media_type="image/png",
        size_bytes=10 + number,
        tier=tier,
        kept_as=kept,
        stored_s=1000.0 + number,
        keep_until_s=keep_until_s,
    )


def test_pictures_are_counted_by_tier_and_class(database: Database) -> None:
    with database.writing() as session:
        session.add(picture(0, Tier.HOT, Kept.REJECT, keep_until_s=2000.0))
        session.add(picture(1, Tier.HOT, Kept.REJECT, keep_until_s=3000.0))
        session.add(picture(2, Tier.NEARLINE, Kept.DATASET, keep_until_s=None))
        session.add(picture(3, Tier.GONE, Kept.REJECT, keep_until_s=2000.0))
    with database.reading() as session:
        rejects, learnt = piles(session, until_s=2000.0)
    assert rejects == Pile(
        tier=Tier.HOT,
        kept_as=Kept.REJECT,
        pictures=2,
        size_bytes=21,
        oldest_s=1000.0,
        next_s=2000.0,
        due=1,
        due_bytes=10,
    )
    assert (learnt.tier, learnt.next_s, learnt.due, learnt.due_bytes) == (Tier.NEARLINE, None, 0, 0)


def test_an_index_has_all_that_is_counted(database: Database) -> None:
    asked: list[tuple[str, Any]] = []
    event.listen(database.engine, "before_cursor_execute", lambda *given: asked.append((given[2], given[3])))
    with database.reading() as session:
        piles(session, until_s=0.0)
    statement, given = next(one for one in asked if "GROUP BY" in one[0])
    with database.engine.connect() as connection:
        if database.engine.dialect.name == "sqlite":
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given).all()
            assert "COVERING INDEX ix_pictures_stock" in str(plan)
            return
        connection.execute(text("SET enable_seqscan = off"))  # as it is in a table of more than a few rows
        plan = connection.exec_driver_sql(f"EXPLAIN {statement}", given).all()
    assert "Index Only Scan using ix_pictures_stock" in str(plan)
