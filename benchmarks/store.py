"""The plant's store at a million inspections: what each query of a page takes, and how fast records come in.

    PYTHONPATH=. python benchmarks/store.py [--inspections 1000000] [--backlog 288000] [--only sqlite|postgresql]

Targets: 300 ms for each query that a page needs, and 200 records a second. The inspections are made inside the
database: 60 days of 10 stations and 8 products, one view each, 5 % rejects of 6 kinds, 2 % audits, 0.2 % faults, each
serial number twice. The backlog goes through `ingest` in batches of 500, every twentieth batch twice, and is then
compared with what was sent. PostgreSQL is measured where its programs are installed, with fsync on.
"""

import argparse
import hashlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy
from sqlalchemy import select, text
from sqlalchemy.orm import Session
from tests.store.postgres import Postgres, programs

from sightline.line.outcome import FIRST, Ids, Outcome, ViewOutcome, content, digest, document
from sightline.records import Box, Defect, Verdict
from sightline.store.database import Database
from sightline.store.figures import by_place
from sightline.store.ingest import ingest
from sightline.store.inspections import (
    Filter,
    Place,
    history,
    labels,
    newest,
    one,
    page,
    products,
    since,
)
from sightline.store.schema import Inspection
from sightline.store.stations import standings
from sightline.store.tallied import Slice
from sightline.store.tallies import counts
from tables import RESULTS, Cell, write_table

TARGET_MS, RECORDS_PER_S = 300.0, 200.0
START_S, DAYS = 1.8e9, 60
BATCH = 500
_ID = "'01934f6e-8c00-7000-8000-' || (100000000000 + i)"
_VERDICT = "CASE WHEN i % 500 = 0 THEN 'FAULT' WHEN i % 20 = 1 THEN 'REJECT' ELSE 'PASS' END"
_LABEL = "CASE WHEN i % 20 = 1 THEN 'kind-' || ((i / 20) % 6) ELSE '' END"
_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})"
_FILL = (
    """INSERT INTO stations (id, name, line, first_seen_s, last_seen_s, last_sequence, last_digest, last_at_s, status)
    {numbers} SELECT i, 'line-' || i, '', 0, 0, 0, '', 0, '{{}}' FROM n WHERE i <= 10""",
    """INSERT INTO parts (id, product, serial, first_at_s)
    {numbers} SELECT i, 'product-' || (i % 8), 'S' || i, {start} FROM n WHERE i <= {count} / 2""",
    """INSERT INTO inspections (id, number, station_id, sequence, part_id, part_number, serial, product, recipe, kind,
        lot, tool, verdict, judged, told, score, label, cause, late, at_s, station_clock_s, received_s, total_ms,
        document)
    {numbers} SELECT {id}, i, 1 + i % 10, i / 10 + 1, 1 + i % ({count} / 2), i, 'S' || (1 + i % ({count} / 2)),
        'product-' || (i % 8), 3, CASE WHEN i % 50 = 7 THEN 'audit' ELSE 'production' END,
        'L-' || (i / 5000), 'T-' || ((i / 500) % 4),
        {verdict}, {verdict}, '', 0.5, {label}, CASE WHEN i % 500 = 0 THEN 'camera' ELSE '' END, {false},
        {start} + i * {step}, {start} + i * {step}, {start} + i * {step} + 0.5, 80.5,
        '{{"id":"' || {id} || '","filler":"{filler}"}}' FROM n""",
    """INSERT INTO frames (id, inspection_id, view, verdict, score, threshold, model_id, cause, reason, picture,
        shadow_verdict, shadow_model)
    {numbers} SELECT i, {id}, 'top', {verdict}, 0.5, 1.0, CASE WHEN i = 5 THEN 'rare' ELSE 'usual' END, '', '',
        '{digest}' || (100000000000 + i), 'PASS', 'candidate' FROM n""",
    """INSERT INTO defects (id, inspection_id, frame_id, label, x, y, width, height, area_px, peak)
    {numbers} SELECT i, {id}, i, {label}, 10, 10, 20, 20, 300, 1.4 FROM n WHERE i % 20 = 1""",
    """INSERT INTO tallies (hour, station_id, product, kind, verdict, cause, label, lot, tool, parts, defects,
        late)
    SELECT CAST(floor(at_s / 3600) AS integer), station_id, product, kind, verdict, cause, label, lot, tool,
        count(*),
        sum(CASE WHEN label = '' THEN 0 ELSE 1 END), 0 FROM inspections GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9""",
)


@contextmanager
def opened(kind: str, folder: Path) -> Iterator[Database]:
    """An empty database of this kind, gone afterwards."""
    server = Postgres(durable=True) if kind == "postgresql" else None
    database = Database(server.database() if server else f"sqlite:///{folder / 'plant.db'}")
    try:
        database.upgrade()
        yield database
    finally:
        database.close()
        if server:
            server.close()


def fill(database: Database, count: int) -> float:
    """Make that many inspections; returns how long it took, s."""
    words = {
        "count": count,
        "numbers": _NUMBERS.format(count=count),
        "id": _ID,
        "verdict": _VERDICT,
        "label": _LABEL,
        "false": "0" if database.is_sqlite else "false",
        "start": START_S,
        "step": DAYS * 86_400 / count,
        "filler": "x" * 450,
        "digest": "d" * 52,
    }
    began = time.perf_counter()
    with database.engine.connect().execution_options(writes=True) as connection:
        if not database.is_sqlite:  # the rows are known to fit together
            connection.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in _FILL:
            connection.execute(text(statement.format(**words)))
        if not database.is_sqlite:
            for table in ("stations", "parts", "frames", "defects"):
                counter = f"pg_get_serial_sequence('{table}', 'id')"
                connection.execute(text(f"SELECT setval({counter}, (SELECT max(id) FROM {table}))"))
        connection.commit()
    if not database.is_sqlite:  # as autovacuum does in its own time
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
    return time.perf_counter() - began


def questions(count: int) -> dict[str, Callable[[Session], object]]:
    """What pages ask."""
    middle, end = START_S + DAYS * 43_200, START_S + DAYS * 86_400
    return {
        "list, newest 50": lambda session: page(session, Filter()),
        "list, from the middle": lambda session: page(session, Filter(), before=Place(at_s=middle, number=count // 2)),
        "list of an hour, 500": lambda session: page(session, Filter(since_s=middle, until_s=middle + 3600), limit=500),
        "list of a product": lambda session: page(session, Filter(product="product-3")),
        "list of a station": lambda session: page(session, Filter(station="line-3")),
        "list of rejects": lambda session: page(session, Filter(verdict="REJECT")),
        "list of faults": lambda session: page(session, Filter(verdict="FAULT")),
        "list of a kind of defect": lambda session: page(session, Filter(label="kind-3")),
        "list of a lot": lambda session: page(session, Filter(lot="L-3")),
        "list of a tool's rejects": lambda session: page(session, Filter(tool="T-3", verdict="REJECT")),
        "list of audits": lambda session: page(session, Filter(kind="audit")),
        "list of a serial number": lambda session: page(session, Filter(serial="S777")),
        "list of a cause": lambda session: page(session, Filter(cause="camera")),
        "list of a product's rejects at a station": lambda session: page(
            session, Filter(product="product-1", station="line-2", verdict="REJECT")
        ),
        "list of what there is not": lambda session: page(session, Filter(product="product-3", cause="none")),
        "list of a model's": lambda session: page(session, Filter(model="usual")),
        "list of a model that judged one part": lambda session: page(session, Filter(model="rare")),
        "one with everything": lambda session: one(session, "01934f6e-8c00-7000-8000-100000000021"),
        "history of a part": lambda session: history(session, "S777"),
        "newest 20 since a number": lambda session: since(session, newest(session) - 20),
        "counts by the hour, a week": lambda session: counts(session, since_s=end - 7 * 86_400, until_s=end),
        "counts by the day, all": lambda session: counts(session, since_s=START_S, until_s=end, step_h=24),
        "lots of a month": lambda session: by_place(session, Slice(since_s=end - 30 * 86_400, until_s=end), "lot"),
        "tools of all": lambda session: by_place(session, Slice(since_s=START_S, until_s=end), "tool"),
        "products and labels": lambda session: (products(session), labels(session)),
        "stations": standings,
    }


def asked(database: Database, count: int, rounds: int) -> list[tuple[str, float, float]]:
    """(question, p50, best) in ms; each is asked once before."""
    found = []
    for name, ask in questions(count).items():
        times = []
        for _ in range(rounds + 1):
            began = time.perf_counter()
            with database.reading() as session:
                ask(session)
            times.append((time.perf_counter() - began) * 1e3)
        found.append((name, statistics.median(times[1:]), min(times[1:])))
    return found


def told(count: int) -> Iterator[str]:
    """Lines of a station, one part in 20 rejected."""
    ids, previous = Ids(), FIRST
    dent = Defect(box=Box(x=1, y=2, width=30, height=40), area_px=900, peak=1.5, label="dent", confidence=0.9)
    for number in range(1, count + 1):
        verdict = Verdict.REJECT if number % 20 == 0 else Verdict.PASS
        defects = (dent,) if verdict is Verdict.REJECT else ()
        view = ViewOutcome(view="top", verdict=verdict, score=0.5, threshold=1.0, model_id="m" * 64, defects=defects)
        made = Outcome(
            id=ids.new(),
            part_id=number,
            product="disc",
            recipe=7,
            verdict=verdict,
            unix_s=START_S + number / 10,
            serial=f"B{number}",
            score=0.5,
            durations_ms={"total": 80.0},
            views=(view,),
        )
        line = document(content(made), number, previous, "backlog")
        previous = digest(line)
        yield line


def drained(database: Database, count: int) -> tuple[float, bool]:
    """Records a second, and whether all are there once and in order; each 20th batch is sent again."""
    took, sent, batch, number = 0.0, hashlib.sha256(), [], 0
    first = _highest(database)
    for line in told(count):
        sent.update(line.encode())
        batch.append(line)
        if len(batch) < BATCH and number + len(batch) < count:
            continue
        number += len(batch)
        for _ in range(2 if number // BATCH % 20 == 0 else 1):
            began = time.perf_counter()
            receipt = ingest(database, batch, now_s=time.time())
            took += time.perf_counter() - began
            assert receipt.breaks == 0
        batch = []
    there = hashlib.sha256()
    stored = 0
    while True:
        with database.reading() as session:
            found = select(Inspection.document).where(Inspection.number > first + stored).order_by(Inspection.number)
            lines = session.scalars(found.limit(10_000)).all()
        for line in lines:
            there.update(line.encode())
        stored += len(lines)
        if not lines:
            return count / took, stored == count and there.digest() == sent.digest()


def _highest(database: Database) -> int:
    with database.reading() as session:
        return newest(session)


def version(database: Database) -> str:
    with database.reading() as session:
        name, asking = (
            ("SQLite", "SELECT sqlite_version()") if database.is_sqlite else ("PostgreSQL", "SHOW server_version")
        )
        return f"{name} {str(session.execute(text(asking)).scalar()).split()[0]}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inspections", type=int, default=1_000_000)
    parser.add_argument("--backlog", type=int, default=288_000)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    kinds = ["sqlite", "postgresql"] if programs() else ["sqlite"]
    rows: dict[str, dict[str, Cell]] = {}
    notes = [f"SQLAlchemy {sqlalchemy.__version__}; {options.inspections:,} inspections of {DAYS} days."]
    missed = []
    for kind in [options.only] if options.only else kinds:
        with tempfile.TemporaryDirectory(prefix="sightline-store-") as folder, opened(kind, Path(folder)) as database:
            filled_s = fill(database, options.inspections)
            name = version(database)
            print(f"{name}: filled in {filled_s:.0f} s", file=sys.stderr)
            for question, middle, best in asked(database, options.inspections, options.rounds):
                rows.setdefault(question, {"what": question}).update(
                    {f"{kind}, p50 ms": middle, f"{kind}, best ms": best}
                )
                missed += [f"{question} ({kind})"] if middle > TARGET_MS else []
            rate, whole = drained(database, options.backlog)
            notes.append(
                f"{name}: filled in {filled_s:.0f} s. A backlog of {options.backlog:,} records on top of these came in "
                f"at **{rate:,.0f} a second** (target {RECORDS_PER_S:.0f}), "
                f"{'each once and in order' if whole else 'DAMAGED'}."
            )
            missed += [] if whole and rate >= RECORDS_PER_S else [f"backlog ({kind})"]
    notes.append(f"p50 above {TARGET_MS:.0f} ms, or otherwise missed: {', '.join(missed) or 'nothing'}.")
    command = " ".join(["PYTHONPATH=. python benchmarks/store.py", *sys.argv[1:]])
    page_ = write_table(
        options.out, "store", list(rows.values()), title="The plant's store", command=command, notes=["\n".join(notes)]
    )
    print(page_.read_text(encoding="utf-8"))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
