"""What the server counts, for Prometheus. Names begin with `sightline_server_`."""

import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from starlette.types import Scope

from sightline.errors import StoreError
from sightline.service.plant import Plant
from sightline.store.database import Database
from sightline.store.schema import Alert, Delivery, Inspection, Job, Picture, Station

CONTENT_TYPE = CONTENT_TYPE_LATEST
_LATENCY_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class ServerMetrics:
    """The counters of one server; threads may share it."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()  # other parts of the server register theirs here
        self._lock = Lock()
        self._watched: list[Collector] = []
        self._requests = Counter(
            "sightline_server_requests",
            "Requests answered, by route",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self._latency = Histogram(
            "sightline_server_request_seconds",
            "From the request's head to the end of its answer, by route",
            ["route"],
            buckets=_LATENCY_S,
            registry=self.registry,
        )
        self._in_flight = Gauge("sightline_server_requests_in_flight", "Being answered now", registry=self.registry)
        self._logins = Counter(
            "sightline_server_logins", "Logins tried, by how they went", ["end"], registry=self.registry
        )

    @contextmanager
    def in_flight(self) -> Iterator[None]:
        self._in_flight.inc()
        try:
            yield
        finally:
            self._in_flight.dec()

    def answered(self, scope: Scope, status: int, took_s: float) -> None:
        """One request; routes are told apart by their template, so that their number is bounded."""
        route = getattr(scope.get("route"), "path", "") or "other"
        method = scope.get("method", "WEBSOCKET")
        self._requests.labels(method if method in _METHODS else "other", route, str(status)).inc()
        self._latency.labels(route).observe(took_s)

    def latency(self) -> tuple[int, list[tuple[float, float]]]:
        """(requests so far, of how many of them it was at most so many seconds)."""
        sums: dict[float, float] = {}
        for sample in next(iter(self._latency.collect())).samples:
            if sample.name.endswith("_bucket"):
                bound = float(sample.labels["le"])
                sums[bound] = sums.get(bound, 0.0) + sample.value
        bounds = sorted(sums.items())
        return int(bounds[-1][1]) if bounds else 0, bounds

    def logged_in(self, end: str) -> None:
        """`ok`, `refused` or `limited`."""
        self._logins.labels(end).inc()

    def watch(self, plant: Plant) -> None:
        """Tell of the plant, too, from now on, each time somebody asks; what was watched before is let go."""
        with self._lock:
            for collector in self._watched:
                self.registry.unregister(collector)
            self._watched = [_Store(plant.database, plant.disks), _Work(plant)]
            for collector in self._watched:
                self.registry.register(collector)

    def page(self) -> bytes:
        """All of them, in Prometheus' text format."""
        return bytes(generate_latest(self.registry))


class _Store(Collector):
    """What the database and the disk say of themselves when they are asked."""

    def __init__(self, database: Database, disks: Mapping[str, Path]) -> None:
        self._store = database
        self._disks = disks

    def describe(self) -> Iterable[Metric]:
        return ()  # so that registering asks nothing of the database

    def collect(self) -> Iterable[Metric]:
        up = GaugeMetricFamily("sightline_server_database_up", "1 while the database answers")
        try:
            found = list(self._counted())
        except StoreError:
            found = []
        up.add_metric([], 1.0 if found else 0.0)
        return [up, *found, self._free()]

    def _counted(self) -> Iterator[Metric]:
        with self._store.reading() as session:
            newest = session.scalar(select(func.max(Inspection.number))) or 0
            by_state = {
                "jobs": ("state", session.execute(select(Job.state, func.count()).group_by(Job.state)).all()),
                "deliveries": (
                    "state",
                    session.execute(select(Delivery.state, func.count()).group_by(Delivery.state)).all(),
                ),
                "pictures": ("tier", session.execute(select(Picture.tier, func.count()).group_by(Picture.tier)).all()),
                "station_last_seen_seconds": (
                    "station",
                    session.execute(select(Station.name, Station.last_seen_s)).all(),
                ),
            }
            alerts = session.scalar(select(func.count()).select_from(Alert).where(Alert.ended_s.is_(None))) or 0
        yield _gauge("inspections", "Inspections that came to the server", newest)
        yield _gauge("alerts_open", "Alerts that have not ended", alerts)
        for name, (label, rows) in by_state.items():
            family = GaugeMetricFamily(
                f"sightline_server_{name}", f"{name.replace('_', ' ')}, by {label}", labels=[label]
            )
            for value, count in rows:
                family.add_metric([value], count)
            yield family

    def _free(self) -> Metric:
        family = GaugeMetricFamily(
            "sightline_server_disk_free_ratio", "Of each disk, by what lies there", labels=["disk"]
        )
        for name, folder in self._disks.items():
            with suppress(OSError):  # one that is away has no share
                usage = shutil.disk_usage(folder)
                family.add_metric([name], usage.free / max(usage.total, 1))
        return family


class _Work(Collector):
    """What the server's own parts count."""

    def __init__(self, plant: Plant) -> None:
        self._plant = plant

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        judging = self._plant.serving.figures()
        yield _gauge("judging_waiting", "Pictures that wait to be judged", judging.waiting)
        yield _gauge("judging_running", "Pictures being judged", judging.running)
        yield _gauge("models_failed", "Current models that do not judge", len(self._plant.hosting.failed))
        for name, told, count in (
            ("judged", "Pictures judged", judging.judged),
            ("judging_refused", "Pictures refused as too many waited", judging.refused),
            ("judging_late", "Pictures given up before they were begun", judging.late),
            ("judging_stuck", "Workers left behind with a picture they did not end", judging.stuck),
            ("judging_failed", "Workers that died of an error", judging.failed),
            ("webhooks_delivered", "Events delivered", self._plant.sender.delivered),
            ("webhooks_failed", "Tries that failed", self._plant.sender.failed),
            ("webhooks_given_up", "Events given up after the last try", self._plant.sender.given_up),
            ("alert_rules_failed", "Rules that could not be asked", self._plant.watch.failures),
        ):
            yield CounterMetricFamily(f"sightline_server_{name}", told, value=count)
        family = HistogramMetricFamily("sightline_server_judging_seconds", "From asked to answered")
        buckets = [(str(bound / 1e3), float(count)) for bound, count in judging.latency_ms]
        family.add_metric([], [*buckets, ("+Inf", float(judging.judged))], judging.latency_sum_ms / 1e3)
        yield family


def _gauge(name: str, told: str, value: float) -> Metric:
    return GaugeMetricFamily(f"sightline_server_{name}", told, value=value)
