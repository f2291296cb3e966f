"""The models that a server has loaded, and having pictures judged by them."""

import asyncio
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from sightline.bundle import Bundle
from sightline.bundle import load as load_bundle
from sightline.errors import BundleError, BusyError, ConflictError, InspectionError, NotFoundError, OptionError
from sightline.inspector import Inspector
from sightline.manifest import Manifest
from sightline.records import Frame, Inspection, Verdict
from sightline.service.answer import Answer, Wish, answered
from sightline.service.apart import Apart
from sightline.service.judging import Judge, judged
from sightline.service.workers import Figures, Load, Workers

TIMEOUT_S = 20.0
MOST_STUCK = 3  # times that a model may be stuck before it is given up
_PLAIN = Wish()


class State(StrEnum):
    """How far a model is."""

    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"  # it could not be loaded, or was stuck too often; `reason` says which
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A model as it is known to the server by one name."""

    name: str
    version: int
    path: Path
    state: State
    reason: str = ""  # why it failed
    since_s: float  # when it came into this state, seconds since 1970


# by itself, and so with all cores, or not: two with one core each do more than one with two
_Judge = Callable[[bool, bytes | Frame, Wish], Answer]


@dataclass(slots=True, kw_only=True, eq=False)
class _Loaded:
    name: str
    version: int
    manifest: Manifest
    model_id: str
    judge: _Judge
    stuck: int = 0


class Serving:
    """Judges pictures with models by their names; threads and event loops may share it. Close it when done."""

    def __init__(
        self,
        *,
        workers: int | None = None,
        queue: int = 64,
        timeout_s: float = TIMEOUT_S,
        hang_s: float = 30.0,
        max_megapixels: float = 50.0,
        apart: Apart | None = None,
    ) -> None:
        """
        Args:
            workers: pictures judged at the same time; None: one for each core.
            queue: pictures that may wait; more are refused.
            timeout_s: within which a picture is judged, or refused, unless a request asks for less.
            hang_s: a model that is at one picture for longer is stuck.
            max_megapixels: a larger picture is refused before it is decoded.
            apart: the processes that judge, which the caller closes; None: this one.
        """
        self.timeout_s = timeout_s
        self.max_megapixels = max_megapixels
        self.workers = workers or os.cpu_count() or 1
        self._apart = apart
        self._workers: Workers[Answer] = Workers(Load(workers=self.workers, queue=queue, hang_s=hang_s))
        self._lock = threading.Lock()
        self._known: dict[str, Served] = {}
        self._loaded: dict[str, _Loaded] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._workers.close()

    def load(self, name: str, path: Path, *, version: int = 1) -> Served:
        """Load a model and try it on a blank picture; only then does it take the place of the one of that name.

        What has been asked of the former one is still judged by it. Where the new one fails, the former stays.

        Raises:
            BundleError: the file cannot be used, or the model does not judge. ConflictError: it is being loaded.
        """
        with self._lock:
            former = self._known.get(name)
            if former is not None and former.state is State.LOADING:
                raise ConflictError(f"model {name}: is being loaded. Wait until it is ready.")
            self._known[name] = _served(name, version, path, State.LOADING)
        try:
            loaded = self._opened(name, path, version)
        except BundleError as error:
            failed = _served(name, version, path, State.FAILED, str(error))
            self._settle(former if former and former.state is State.READY else failed)
            raise
        except BaseException:
            self._settle(former or _served(name, version, path, State.FAILED, "loading was broken off"))
            raise
        served = _served(name, version, path, State.READY)
        with self._lock:
            self._loaded[name], self._known[name] = loaded, served
        return served

    def start(self, name: str) -> Served:
        """Load a stopped or failed model again; errors as `load`, and NotFoundError."""
        served = self.model(name)
        return served if served.state is State.READY else self.load(name, served.path, version=served.version)

    def stop(self, name: str) -> Served:
        """Let go of a model; it stays known, and can be started again.

        Raises:
            NotFoundError: there is none of that name. ConflictError: it is being loaded.
        """
        with self._lock:
            served = self._of(name)
            if served.state is State.LOADING:
                raise ConflictError(f"model {name}: is being loaded. Wait until it is ready.")
            self._loaded.pop(name, None)
            self._known[name] = replace(served, state=State.STOPPED, reason="", since_s=time.time())
            return self._known[name]

    def forget(self, name: str) -> None:
        """Let go of a model and of its name; errors as `stop`."""
        self.stop(name)
        with self._lock:
            self._known.pop(name, None)

    def models(self) -> tuple[Served, ...]:
        """All that are known, by name."""
        with self._lock:
            return tuple(self._known[name] for name in sorted(self._known))

    def model(self, name: str) -> Served:
        """The one of that name; raises NotFoundError."""
        with self._lock:
            return self._of(name)

    def has(self, name: str, version: str) -> bool:
        """Whether this version, or `latest`, is ready."""
        with self._lock:
            loaded = self._loaded.get(name)
        return loaded is not None and version in ("latest", str(loaded.version))

    def manifest(self, name: str) -> Manifest:
        """Of a model that is ready; errors as `judge`."""
        return self._ready(name).manifest

    def current(self) -> str:
        """The only model there is, for requests that name none.

        Raises:
            NotFoundError: there is none. OptionError: there are several.
        """
        names = [served.name for served in self.models()]
        if not names:
            raise NotFoundError("no model is loaded. Start with --model NAME=FILE, or promote one.")
        if len(names) > 1:
            raise OptionError(f"several models are loaded; name one of {', '.join(names[:20])}.")
        return names[0]

    def judge(
        self, name: str, picture: bytes | Frame, *, product: str | None = None, timeout_s: float | None = None
    ) -> Inspection:
        """The inspection of `answer`."""
        return self.answer(name, picture, Wish(product=product), timeout_s=timeout_s).inspection

    def answer(
        self, name: str, picture: bytes | Frame, wish: Wish = _PLAIN, *, timeout_s: float | None = None
    ) -> Answer:
        """Have a picture judged, and wait for it.

        Returns:
            The answer; a FAULT when the model failed in a way that is not foreseen, or does not come to an end in time.

        Raises:
            NotFoundError: there is no such model. ConflictError: it is not ready.
            BusyError: too many wait already, or it was not begun in time; it may be sent again.
            FrameError: the picture cannot be judged. OptionError: a product is missing, or is not known.
        """
        loaded, allowed_s = self._ready(name), self._allowed(timeout_s)
        future = self._submit(loaded, picture, wish)
        try:
            return future.result(allowed_s)
        except TimeoutError:
            return self._late(loaded, future, allowed_s)

    async def judge_soon(
        self, name: str, picture: bytes | Frame, *, product: str | None = None, timeout_s: float | None = None
    ) -> Inspection:
        """As `judge`, without holding up the event loop."""
        return (await self.answer_soon(name, picture, Wish(product=product), timeout_s=timeout_s)).inspection

    async def answer_soon(
        self, name: str, picture: bytes | Frame, wish: Wish = _PLAIN, *, timeout_s: float | None = None
    ) -> Answer:
        """As `answer`, without holding up the event loop."""
        loaded, allowed_s = self._ready(name), self._allowed(timeout_s)
        future = self._submit(loaded, picture, wish)
        try:
            return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(future)), allowed_s)
        except TimeoutError:
            return self._late(loaded, future, allowed_s)

    def fault(self, name: str, reason: str) -> Answer:
        """What stands for a picture that cannot be judged, in a batch of others; errors as `judge`."""
        return _fault(self._ready(name), reason)

    def figures(self) -> Figures:
        """What the metrics show."""
        return self._workers.figures()

    def _submit(self, loaded: _Loaded, picture: bytes | Frame, wish: Wish) -> Future[Answer]:
        asked, thread = time.perf_counter(), 0

        def work(alone: bool) -> Answer:
            nonlocal thread
            thread = threading.get_ident()
            queued_ms = (time.perf_counter() - asked) * 1e3
            return replace(loaded.judge(alone, picture, wish), queued_ms=queued_ms)

        return self._workers.submit(
            work,
            size=len(picture) if isinstance(picture, bytes) else picture.pixels.nbytes,
            fault=lambda reason: _fault(loaded, reason),
            stuck=lambda: self._was_stuck(loaded, thread),
        )

    def _late(self, loaded: _Loaded, future: Future[Answer], allowed_s: float) -> Answer:
        if self._workers.give_up(future):
            raise BusyError(f"model {loaded.name}: did not come to the picture within {allowed_s:g} s. Send it again.")
        if future.done():
            return future.result()
        return _fault(loaded, f"model {loaded.name} did not judge it within {allowed_s:g} s.")

    def _allowed(self, timeout_s: float | None) -> float:
        return self.timeout_s if timeout_s is None else min(timeout_s, self.timeout_s)

    def _opened(self, name: str, path: Path, version: int) -> _Loaded:
        bundle = load_bundle(path)
        judge = self._here(bundle, name, version) if self._apart is None else self._elsewhere(bundle, name, version)
        manifest = bundle.manifest
        loaded = _Loaded(name=name, version=version, manifest=manifest, model_id=bundle.model_id, judge=judge)
        if not manifest.input.depth:  # judged by pictures with depth maps only, which no client sends
            self._try(loaded, bundle)
        return loaded

    def _here(self, bundle: Bundle, name: str, version: int) -> _Judge:
        try:
            among = alone = Inspector(bundle, threads=1, max_megapixels=self.max_megapixels)
            if (os.cpu_count() or 1) > 1:
                alone = Inspector(bundle, max_megapixels=self.max_megapixels)
        except OptionError as error:
            raise BundleError(f"{bundle.path}: {error}") from error
        return lambda by_itself, picture, wish: answered(alone if by_itself else among, picture, wish, name, version)

    def _elsewhere(self, bundle: Bundle, name: str, version: int) -> _Judge:
        apart = self._apart
        assert apart is not None, "asked for where there are processes"
        alone, among = (
            Judge(
                name=name,
                version=version,
                path=bundle.path,
                model_id=bundle.model_id,
                threads=threads,
                max_megapixels=self.max_megapixels,
            )
            for threads in (None, 1)
        )

        def judge(by_itself: bool, picture: bytes | Frame, wish: Wish) -> Answer:
            with self._lock:
                live = {loaded.model_id for loaded in self._loaded.values()} | {alone.model_id}
            return apart.run(judged, alone if by_itself else among, tuple(live), picture, wish)

        return judge

    def _try(self, loaded: _Loaded, bundle: Bundle) -> None:
        """Judge a blank picture, once by each process in each way, so that none loads when a part waits."""
        kind = bundle.manifest.input
        blank = np.zeros((*bundle.manifest.working_size, 3), kind.dtype)
        frame = Frame(pixels=blank, bit_depth=kind.bit_depth, source="a blank picture")
        wish = Wish(product=next(iter(bundle.manifest.separate), None))
        future = self._submit(loaded, frame, wish)
        try:
            try:
                answer = future.result(self.timeout_s)
            except TimeoutError:
                answer = self._late(loaded, future, self.timeout_s)
            if answer.inspection.fault is not None:
                raise BundleError(f"{bundle.path}: does not judge ({answer.inspection.fault})")
            if self._apart is not None:
                ways = [alone for alone in (True, False) for _ in range(self.workers)]
                with ThreadPoolExecutor(self.workers) as pool:
                    list(pool.map(lambda alone: loaded.judge(alone, frame, wish), ways))
        except BundleError:
            raise
        except InspectionError as error:
            raise BundleError(f"{bundle.path}: does not judge ({error})") from error

    def _ready(self, name: str) -> _Loaded:
        with self._lock:
            served, loaded = self._of(name), self._loaded.get(name)
        if loaded is None:
            why = f" ({served.reason})" if served.reason else ""
            raise ConflictError(f"model {name}: is {served.state}{why}. Start it, or wait until it is ready.")
        return loaded

    def _of(self, name: str) -> Served:
        if name not in self._known:
            known = ", ".join(sorted(self._known)[:20]) or "none"
            raise NotFoundError(f"model {name!r:.80}: is not known; there is {known}.")
        return self._known[name]

    def _settle(self, served: Served) -> None:
        with self._lock:
            self._known[served.name] = served

    def _was_stuck(self, loaded: _Loaded, thread: int) -> None:
        if self._apart is not None:
            self._apart.kill(thread)
        with self._lock:
            loaded.stuck += 1
            if loaded.stuck >= MOST_STUCK and self._loaded.get(loaded.name) is loaded:
                del self._loaded[loaded.name]
                reason = f"it was stuck {loaded.stuck} times"
                served = self._known[loaded.name]
                self._known[loaded.name] = replace(served, state=State.FAILED, reason=reason, since_s=time.time())


def _served(name: str, version: int, path: Path, state: State, reason: str = "") -> Served:
    return Served(name=name, version=version, path=path, state=state, reason=reason, since_s=time.time())


def _fault(loaded: _Loaded, reason: str) -> Answer:
    thresholds = loaded.manifest.thresholds
    inspection = Inspection(
        source="",
        verdict=Verdict.FAULT,
        score=None,
        threshold=thresholds.reject,
        review_threshold=thresholds.review,
        p_value=None,
        model_id=loaded.model_id,
        fault=reason,
    )
    return Answer(model=loaded.name, version=loaded.version, inspection=inspection, anomalous=1.0)
