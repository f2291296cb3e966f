"""What a station counts, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from sightline.line.outcome import Outcome

CONTENT_TYPE = CONTENT_TYPE_LATEST
_LATENCY_S = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0)


class Metrics:
    """The counters of one station; safe to use from several threads. Names begin with `sightline_line_`."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._triggers = self._counter("triggers", "Parts that the PLC announced")
        self._missed = self._counter("missed_triggers", "Parts announced while the station was not ready; rejected")
        self._unseen = self._counter(
            "unseen_triggers", "Parts that the PLC numbered, and gave up before they were seen"
        )
        self._late = self._counter("missed_windows", "Parts whose verdict was not there at the deadline; rejected")
        self._verdicts = self._counter("verdicts", "Parts by verdict", "verdict")
        self._faults = self._counter("faults", "Parts that could not be judged, by cause", "cause")
        self._kinds = self._counter("parts", "Parts by kind: production, audit, challenge", "kind")
        self._escaped_challenges = self._counter("missed_challenges", "Challenge parts that were passed")
        self._shadows = self._counter("shadow", "Opinions of models in shadow", "view", "opinion")
        self._crowded = self._counter("crowded_records", "Parts passed over whose record tells of several parts")
        self._restarts = self._counter("worker_restarts", "Workers that were replaced", "view")
        self._frames_lost = self._counter("frames_lost", "Frames that a camera lost", "view")
        self._images_dropped = self._counter("images_dropped", "Pictures that were not stored", "why")
        self._undelivered = self._counter("images_undelivered", "Pictures that the plant server did not get", "why")
        self._plc_lost = self._counter("plc_lost", "Losses of the PLC")
        self._camera_lost = self._counter("camera_lost", "Losses of a camera", "view")
        self._doubts = self._counter("picture_doubts", "Times it was in doubt which picture is of which part", "view")
        self._surveys_failed = self._counter("surveys_failed", "Looks at devices and disk that a bug ended")
        self._latency = Histogram(
            "sightline_line_latency_seconds",
            "From the trigger to the recorded verdict",
            buckets=_LATENCY_S,
            registry=self._registry,
        )
        self._ready = self._gauge("ready", "1 while parts are taken")
        self._queue = self._gauge("queue_depth", "Waiting, by queue", "queue")
        self._temperature = self._gauge("camera_temperature_celsius", "Of the camera", "view")
        self._disk = self._gauge("disk_free_ratio", "Of the disk that records lie on")
        self._outgoing = self._gauge("outbox_images", "Pictures not yet at the plant server")
        self._backlog = self._gauge("outbox_rows", "Records not yet at the plant server")

    def triggered(self) -> None:
        self._triggers.inc()

    def missed(self) -> None:
        self._missed.inc()

    def unseen(self, parts: int) -> None:
        self._unseen.inc(parts)

    def decided(self, outcome: Outcome, latency_s: float | None, *, missed_challenge: bool = False) -> None:
        """One part, when its end is known.

        Args:
            latency_s: from its trigger to its verdict being on disk; None: it was rejected without waiting for that.
            missed_challenge: it is known to be bad, and was not found.
        """
        self._verdicts.labels(outcome.verdict.value).inc()
        self._kinds.labels(outcome.kind).inc()
        if latency_s is not None:
            self._latency.observe(latency_s)
        if outcome.cause is not None:
            self._faults.labels(outcome.cause).inc()
        if outcome.late:
            self._late.inc()
        if missed_challenge:
            self._escaped_challenges.inc()

    def shadowed(self, view: str, word: str) -> None:
        """What a model in shadow said beside the one that decides: agreed, disagreed, or silent."""
        self._shadows.labels(view, word).inc()

    def crowded(self) -> None:
        self._crowded.inc()

    def restarted(self, view: str, workers: int = 1) -> None:
        self._restarts.labels(view).inc(workers)

    def lost_frames(self, view: str, frames: int) -> None:
        self._frames_lost.labels(view).inc(frames)

    def lost_camera(self, view: str, times: int = 1) -> None:
        self._camera_lost.labels(view).inc(times)

    def doubted(self, view: str, times: int) -> None:
        """It was in doubt which picture is of which part."""
        self._doubts.labels(view).inc(times)

    def lost_plc(self) -> None:
        self._plc_lost.inc()

    def failed_survey(self) -> None:
        """What is told of devices, disk and backlog may be old."""
        self._surveys_failed.inc()

    def dropped_image(self, why: str, pictures: int = 1) -> None:
        self._images_dropped.labels(why).inc(pictures)

    def undelivered_image(self, why: str, pictures: int = 1) -> None:
        self._undelivered.labels(why).inc(pictures)

    def outgoing_images(self, pictures: int) -> None:
        """How many wait for the plant server."""
        self._outgoing.set(pictures)

    def now(self, *, ready: bool, queues: dict[str, int], backlog: int) -> None:
        """What is rather than what happened."""
        self._ready.set(ready)
        self._backlog.set(backlog)
        for name, depth in queues.items():
            self._queue.labels(name).set(depth)

    def temperature(self, view: str, celsius: float) -> None:
        self._temperature.labels(view).set(celsius)

    def disk(self, share: float) -> None:
        """How much of the records' disk is free, 0..1."""
        self._disk.set(share)

    def page(self) -> bytes:
        """All of them, in Prometheus' text format."""
        return bytes(generate_latest(self._registry))

    def _counter(self, name: str, told: str, *labels: str) -> Counter:
        return Counter(f"sightline_line_{name}", told, labels, registry=self._registry)

    def _gauge(self, name: str, told: str, label: str | None = None) -> Gauge:
        return Gauge(f"sightline_line_{name}", told, [label] if label else [], registry=self._registry)
