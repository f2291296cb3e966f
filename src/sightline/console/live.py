"""What stations report, handed to all open pages at once: the database is asked once for all of them."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from fastapi import FastAPI
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from sightline.errors import InspectionError
from sightline.evaluation.periods import Period
from sightline.evaluation.throughput import Counts
from sightline.records import Verdict
from sightline.service.plant import Plant
from sightline.store import alerts
from sightline.store.alerts import Raised
from sightline.store.figures import by_place
from sightline.store.inspections import Summary, newest, since, with_views
from sightline.store.stations import Standing, standings
from sightline.store.tallied import Slice

EVERY_S = 0.1  # that it is asked; a part is on the pages within 300 ms of its verdict, and they change no more often
MOST_AT_ONCE = 200  # parts handed out together; where more came at once, the older ones are left out
MOST_ALERTS = 50
_STATE_S = 1.0  # between two looks at figures, stations and alerts
_PICTURES_S = 0.5  # between two looks for pictures, which come after their parts
_INCOMPLETE = 24  # parts that pictures are looked for: so many that passed, and so many others
_GIVE_UP_S = 60.0  # after which a part's pictures are no longer looked for
_AWAY_S = 2.0  # until the next try when the database does not answer
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How the plant stands."""

    at_s: float  # by the server's clock
    shift: Period
    counts: Mapping[str, Counts]  # of the shift, by station
    stations: Sequence[Standing]
    alerts: Sequence[Raised]  # open ones, newest first


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What there is to tell since the last time."""

    parts: Sequence[Summary] = ()  # new ones, in the order of their coming
    changed: Sequence[Summary] = ()  # told before; a picture of them came
    state: State | None = None  # None: as before
    away: bool = False  # the database does not answer, or what it answers cannot be told

    @property
    def nothing(self) -> bool:
        return not (self.parts or self.changed or self.state or self.away)


Reader = Callable[[News], None]


class Feed:
    """News for pages. All of it but the question runs in the event loop; a reader must not wait.

    While no page follows, nothing is asked.
    """

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._readers: set[Reader] = set()
        self._followed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._number: int | None = None  # of the last part told; None: begin with the newest ones
        self._incomplete: tuple[deque[Summary], deque[Summary]] = (deque(maxlen=_INCOMPLETE), deque(maxlen=_INCOMPLETE))
        self._state_due_s = self._pictures_due_s = 0.0
        self.state: State | None = None  # the last one; None: nobody follows, or it is not known yet
        self.away = False  # whether the last question failed
        self._fault = ""  # of the last question; it is logged when it changes, not every time

    def start(self) -> None:
        """Begin to ask."""
        self._task = asyncio.create_task(self._run(), name="live feed")

    async def stop(self) -> None:
        """End it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def follow(self, reader: Reader) -> Callable[[], None]:
        """Hand news to a reader; returns what ends that, and may be called more than once.

        Among the first news may be parts that came before, so that one who looks for those after this misses none.
        """
        self._readers.add(reader)
        self._followed.set()
        return lambda: self._readers.discard(reader)

    async def _run(self) -> None:
        while True:
            if not self._readers:
                await self._rest()
            begun_s = time.monotonic()
            news = await self._news()
            self.away = news.away
            self._tell(news)
            wait_s = _AWAY_S if news.away else EVERY_S - (time.monotonic() - begun_s)
            await asyncio.sleep(max(EVERY_S / 4, wait_s))

    async def _news(self) -> News:
        """What there is to tell; away, where the question failed in whatever way: the feed goes on, and asks again.

        Faults of the program are logged, when they change; those of the database are logged where it is kept.
        """
        asked = asyncio.ensure_future(run_in_threadpool(self._ask))
        await asyncio.wait({asked})
        error = asked.exception()
        fault = "" if error is None or isinstance(error, InspectionError) else repr(error)
        if fault != self._fault:
            _LOG.log(
                logging.ERROR if fault else logging.INFO,
                "live parts %s",
                f"cannot be told; they are looked for every {_AWAY_S:g} s" if fault else "are told again",
                exc_info=error if fault else None,
            )
        self._fault = fault
        return News(away=True) if error else asked.result()

    async def _rest(self) -> None:
        """Until a page is opened; what came meanwhile, it asks for itself."""
        self._number = self.state = None
        self._state_due_s = 0.0
        for waiting in self._incomplete:
            waiting.clear()
        self._followed.clear()
        await self._followed.wait()

    def _tell(self, news: News) -> None:
        self.state = news.state or self.state
        if news.nothing:
            return
        for reader in self._readers:  # each by itself, so that a fault of one page is not one of the others
            asyncio.get_running_loop().call_soon(self._hand, reader, news)

    def _hand(self, reader: Reader, news: News) -> None:
        """What the reader raises is logged by the event loop, once: such a reader is told no more."""
        if reader not in self._readers:
            return
        try:
            reader(news)
        except BaseException:
            self._readers.discard(reader)
            raise

    def _ask(self) -> News:
        plant: Plant = self._app.state.plant
        now_s = time.monotonic()
        with plant.database.reading() as session:
            parts, last = self._new(session)
            changed: Sequence[Summary] = ()
            state: State | None = None
            if now_s >= self._pictures_due_s:
                changed, self._pictures_due_s = self._completed(session), now_s + _PICTURES_S
            if now_s >= self._state_due_s:
                state, self._state_due_s = _state(session, plant), now_s + _STATE_S
        self._number = last  # after all that may fail, so that no part is left out then
        for part in parts:
            self._wait_for(part)
        return News(parts=parts, changed=changed, state=state)

    def _new(self, session: Session) -> tuple[Sequence[Summary], int]:
        """Parts that were not told, and the number of the last one that there is."""
        last = newest(session)
        begin = max(0, last - MOST_AT_ONCE, self._number or 0)
        return (since(session, begin, limit=MOST_AT_ONCE) if begin < last else ()), last

    def _completed(self, session: Session) -> tuple[Summary, ...]:
        """Parts of which a picture came since the last look."""
        waiting = {part.id: part for parts in self._incomplete for part in parts}
        if not waiting:
            return ()
        found = with_views(session, tuple(waiting.values()))
        for parts in self._incomplete:
            parts.clear()
        for part in found:
            self._wait_for(part)
        return tuple(part for part in found if part.views != waiting[part.id].views)

    def _wait_for(self, part: Summary) -> None:
        lacking = any(view.picture is None or view.overlay is None for view in part.views)
        if lacking and time.time() - part.received_s < _GIVE_UP_S:
            self._incomplete[part.verdict == Verdict.PASS].append(part)


def _state(session: Session, plant: Plant) -> State:
    now_s = time.time()
    shift = plant.quality.calendar.shift_at(now_s)
    return State(
        at_s=now_s,
        shift=shift,
        counts=by_place(session, Slice(since_s=shift.begin_s, until_s=shift.end_s), "station"),
        stations=standings(session),
        alerts=alerts.alerts(session, still_open=True, limit=MOST_ALERTS),
    )
