"""The watch: asks every rule every few seconds, and raises and ends alerts by what it finds."""

import logging
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

from sightline.errors import InspectionError, StoreError
from sightline.service.alert_rules import RULE_KINDS, Sight, checked
from sightline.service.rounds import Rounds
from sightline.store import alerts as store
from sightline.store.alerts import Rule
from sightline.store.database import Database

CALM_S = 60.0  # what was not found for so long has ended
_log = logging.getLogger(__name__)


class Watch:
    """Looks at the tables of one plant; several servers may each have one."""

    def __init__(
        self,
        database: Database,
        disks: Mapping[str, Path],
        *,
        every_s: float = 10.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.failures = 0  # rules that could not be asked, so far
        self._database, self._disks, self._clock = database, disks, clock
        self._asked: dict[int, float] = {}  # rule -> when
        self._rounds = Rounds("alerts", self._round, every_s)

    def start(self) -> Self:
        self._rounds.start()
        return self

    def close(self) -> None:
        self._rounds.close()

    def look(self) -> int:
        """Ask all rules once; returns how many alerts were raised. A rule that cannot be asked stops no other one.

        Raises:
            StoreError: the database cannot be asked at all.
        """
        with self._database.reading() as session:
            rules = store.rules(session, active=True)
        return sum(self._ask(rule) for rule in rules)

    def _ask(self, rule: Rule) -> int:
        now_s = self._clock()
        kind = RULE_KINDS.get(rule.kind)
        if kind is not None and abs(now_s - self._asked.get(rule.id, -math.inf)) < kind.every_s:
            return 0
        self._asked[rule.id] = now_s
        try:
            limits = checked(rule.kind, rule.params)
            with self._database.reading() as session:
                sight = Sight(session=session, now_s=now_s, disks=self._disks)
                findings = RULE_KINDS[rule.kind].find(limits, sight)
            with self._database.writing() as session:
                return store.settle(session, rule, findings, calm_s=CALM_S, now_s=now_s)
        except InspectionError as error:
            self.failures += 1
            _log.warning("alert rule %s: %s", rule.name, error)
            return 0

    def _round(self) -> None:
        try:
            self.look()
        except StoreError as error:
            self.failures += 1
            _log.warning("alerts: %s", error)
