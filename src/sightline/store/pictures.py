"""Pictures by their content: bytes on shelves, one for each tier, and a row for each in the database.

The row is the truth. Bytes are on their shelf before the row says so, and the row says something else before they are
taken away, so whatever is killed in between leaves bytes too many, never a row without them; `tiering.sweep` takes
those away. Bytes are only put back under, or removed from under, a row while the row is locked.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Row, bindparam, case, exists, select, update
from sqlalchemy.orm import Session

from sightline.errors import AccessError, ConflictError, FrameError, InspectionError, NotFoundError, OptionError
from sightline.files import write_bytes
from sightline.imaging.decode import read_header
from sightline.store.database import Database, upsert
from sightline.store.retention import Kept, Retention, Tier
from sightline.store.schema import Frame, Inspection, Picture, Review, Station
from sightline.store.shelf import Shelf, check_digest, digest_of
from sightline.store.together import Together

MOST_BYTES = 64 << 20  # of one file
_AT_ONCE = 500  # rows changed by one statement
_READS = 3  # a picture may be moved while it is read
_OF_ONE = (
    FrameError,
    OptionError,
    NotFoundError,
    ConflictError,
    AccessError,
)  # what is wrong with one, and not with us
T = TypeVar("T")
S = TypeVar("S")


# Statements of what stations do hundreds of times a second are built once.
_PICTURE = update(Frame).where(Frame.id == bindparam("of")).values(picture=bindparam("to"))
_OVERLAY = update(Frame).where(Frame.id == bindparam("of")).values(overlay=bindparam("to"))
_VIEW = (
    select(
        Frame.id,
        Frame.picture,
        Frame.overlay,
        Station.name.label("station"),
        Inspection.product,
        Inspection.verdict,
        Inspection.kind,
        exists().where(Review.inspection_id == Frame.inspection_id, Review.undone_s.is_(None)).label("reviewed"),
        Picture.tier,
    )
    .join(Inspection, Inspection.id == Frame.inspection_id)
    .join(Station, Station.id == Inspection.station_id)
    .outerjoin(Picture, Picture.digest == bindparam("digest"))
    .where(Frame.inspection_id == bindparam("inspection"), Frame.view == bindparam("view"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What is known of a picture."""

    digest: str
    media_type: str
    size_bytes: int
    tier: Tier
    kept_as: Kept
    stored_s: float
    keep_until_s: float | None  # None: for ever


class Pictures:
    """All pictures of a plant; threads may share it."""

    def __init__(
        self,
        database: Database,
        shelves: Mapping[Tier, Shelf],
        retention: Retention,
        *,
        most_bytes: int = MOST_BYTES,
        max_megapixels: float = 50.0,
    ) -> None:
        """
        Args:
            shelves: at least that of Tier.HOT; a tier without a shelf of its own is that of the warmer one.
        """
        if Tier.HOT not in shelves:
            raise OptionError('pictures need a place: give storage for "hot".')
        if len({shelf.url for shelf in shelves.values()}) < len(shelves):
            raise OptionError("two tiers have the same address; give each its own, or leave one out.")
        self.database = database
        self.retention = retention
        self.most_bytes = most_bytes
        self.max_megapixels = max_megapixels
        self._shelves = dict(shelves)
        self._links: Together[list[str | InspectionError]] = Together(database)

    def shelf(self, tier: Tier) -> Shelf:
        return self._shelves.get(tier) or self.shelf(list(Tier)[list(Tier).index(tier) - 1])

    def has_shelf(self, tier: Tier) -> bool:
        return tier in self._shelves

    def keep(self, content: bytes, *, kept: Kept, now_s: float, digest: str = "", media_type: str = "") -> str:
        """Store a picture; storing it again is no error and may only lengthen how long it is kept.

        Args:
            digest: SHA-256 that it must have; empty: not told.
            media_type: that it must be of; empty: not told.

        Returns:
            Its digest.

        Raises:
            FrameError: it is too large, no picture, damaged, or not what was told.
            StoreError, StoreAway: it is not stored.
        """
        found = self.examined(content, digest=digest, media_type=media_type)
        with self.database.reading() as session:
            tier = session.scalar(select(Picture.tier).where(Picture.digest == found.digest))
        if tier is None or tier == Tier.GONE:  # bytes first; not where a row says that they are there
            self.shelf(Tier.HOT).put(found.digest, content)
        with self.database.writing() as session:
            self.enter(session, found, content, kept=kept, now_s=now_s)
        return found.digest

    def examined(self, content: bytes, *, digest: str = "", media_type: str = "") -> "Examined":
        """Look at what somebody sent, before anything is done with it; errors as `keep`."""
        if len(content) > self.most_bytes:
            raise FrameError(f"picture: has {len(content)} bytes; the most is {self.most_bytes}. Send a smaller one.")
        found = digest_of(content)
        if digest and check_digest(digest) != found:
            raise FrameError(
                f"picture: is {found[:12]}, not {digest[:12]} as told; it was damaged on its way. Send again."
            )
        header = read_header(content, source=f"picture {found[:12]}", max_megapixels=self.max_megapixels)
        if media_type and media_type != header.media_type:
            raise FrameError(f"picture: is {header.media_type}, not {media_type:.60} as told; correct Content-Type.")
        return Examined(digest=found, media_type=header.media_type, width=header.width, height=header.height)

    def enter(self, session: Session, found: "Examined", content: bytes, *, kept: Kept, now_s: float) -> None:
        """The row of a picture whose bytes are on the hot shelf, unless there is one."""
        if self._entered(session, found, len(content), kept, now_s):
            return
        row = locked(session, found.digest)
        assert row is not None, "rows of pictures are never deleted"
        if row.tier == Tier.GONE:
            self.shelf(Tier.HOT).put(found.digest, content)  # again: what was removed may have been these bytes
            row.tier, row.media_type, row.size_bytes, row.stored_s = Tier.HOT, found.media_type, len(content), now_s
            row.kept_as, row.keep_until_s = kept, self.retention.keep_until_s(kept, now_s)
        self.strengthen(row, kept, now_s)

    def _entered(self, session: Session, found: "Examined", size_bytes: int, kept: Kept, now_s: float) -> bool:
        """Whether there was no row, and now there is; as plain SQL, since stations send hundreds a second."""
        row = {
            "digest": found.digest,
            "media_type": found.media_type,
            "size_bytes": size_bytes,
            "tier": Tier.HOT,
            "kept_as": kept,
            "stored_s": now_s,
            "keep_until_s": self.retention.keep_until_s(kept, now_s),
        }
        made = upsert(session, Picture).on_conflict_do_nothing().returning(Picture.digest)
        return session.connection().execute(made, row).first() is not None

    def strengthen(self, row: Picture, kept: Kept, now_s: float) -> None:
        """Keep it from now on for this reason as well; how long it is kept never becomes less."""
        row.kept_as = self.retention.strongest((Kept(row.kept_as), kept))
        until = self.retention.keep_until_s(kept, now_s)
        if row.keep_until_s is not None and (until is None or until > row.keep_until_s):
            row.keep_until_s = until

    def link(self, content: bytes, view: "ViewOf", *, digest: str, media_type: str, now_s: float) -> str:
        """Store the picture of one view of an inspection; the same again is no error.

        Raises:
            NotFoundError: there is no such inspection or view. ConflictError: the view has another picture.
            AccessError: the inspection is another station's. Others as `keep`.
        """
        (kept,) = self.link_all([Sent(content=content, view=view, digest=digest, media_type=media_type)], now_s=now_s)
        if isinstance(kept, InspectionError):
            raise kept
        return kept

    def link_all(self, several: "Sequence[Sent]", *, now_s: float) -> list[str | InspectionError]:
        """As `link`, of several pictures, for which the disk is waited for once; one that is wrong stops no other.

        Returns:
            For each its digest, when it is durable, or what `link` would raise.

        Raises:
            StoreError, StoreAway: some are not stored; all may be sent again.
        """
        examined = _of_each(several, several, self._examined)
        with self.database.reading() as session:
            found = _of_each(several, examined, lambda sent, seen: (seen, _shown(session, sent.view, seen.digest).tier))
        new = {  # bytes first; not where a row says that they are there
            seen[0].digest: sent.content
            for sent, seen in zip(several, found, strict=True)
            if not isinstance(seen, InspectionError) and seen[1] in (None, Tier.GONE)
        }
        self.shelf(Tier.HOT).put_all(new)

        def change(session: Session) -> list[str | InspectionError]:
            return _of_each(several, found, lambda sent, seen: self._link(session, sent, seen[0], now_s))

        return self._links.make(change)

    def _examined(self, sent: "Sent", _: "Sent") -> "Examined":
        return self.examined(sent.content, digest=sent.digest, media_type=sent.media_type)

    def _link(self, session: Session, sent: "Sent", found: "Examined", now_s: float) -> str:
        shown = _shown(session, sent.view, found.digest)  # raises before anything is changed
        kept = self.retention.class_of(
            product=shown.product, verdict=shown.verdict, kind=shown.kind, reviewed=shown.reviewed
        )
        self.enter(session, found, sent.content, kept=kept, now_s=now_s)
        changed = _OVERLAY if sent.view.overlay else _PICTURE
        session.connection().execute(changed, {"of": shown.id, "to": found.digest})
        return found.digest

    def known(self, digest: str) -> Stored:
        """Raises NotFoundError where there is none, or none any more."""
        with self.database.reading() as session:
            row = session.get(Picture, check_digest(digest))
            if row is None:
                raise NotFoundError(f"there is no picture {digest[:12]}.")
            if row.tier == Tier.GONE:
                raise NotFoundError(f"picture {digest[:12]} was removed when its time was over.")
            return stored(row)

    def read(self, digest: str) -> bytes:
        """Its file, as it was stored.

        Raises:
            NotFoundError: there is none, or none any more. StoreError: it is damaged. StoreAway: try again.
        """
        for attempt in range(1, _READS + 1):
            found = self.known(digest)
            try:
                return self.shelf(found.tier).get(digest, self.most_bytes)
            except NotFoundError:  # it was just moved; the row says where to
                if attempt == _READS:
                    raise
        raise AssertionError("the last attempt returns or raises")

    def write_to(self, digest: str, path: Path) -> None:
        """Its file, as a new file on this machine that is there whole or not at all; errors as `read`."""
        write_bytes(path, self.read(digest))


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What a picture is that was looked at and is not stored yet."""

    digest: str
    media_type: str
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewOf:
    """One view of an inspection."""

    inspection_id: str
    view: str
    overlay: bool = False  # its map drawn over the picture, and not the picture
    station: str = ""  # the only one whose inspection it may be; empty: any


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What somebody sent as the picture of a view."""

    content: bytes = field(repr=False)
    view: ViewOf
    digest: str  # SHA-256 that it must have; empty: not told
    media_type: str  # that it must be of; empty: not told


def stored(row: Picture) -> Stored:
    return Stored(
        digest=row.digest,
        media_type=row.media_type,
        size_bytes=row.size_bytes,
        tier=Tier(row.tier),
        kept_as=Kept(row.kept_as),
        stored_s=row.stored_s,
        keep_until_s=row.keep_until_s,
    )


def locked(session: Session, digest: str) -> Picture | None:
    """The row, which nobody else changes until the transaction ends."""
    return session.get(Picture, digest, with_for_update=True, populate_existing=True)


def strengthen_all(
    session: Session, pictures: Pictures, digests: Iterable[str], kept: Kept, now_s: float
) -> frozenset[str]:
    """Keep these for this reason as well; those of them that are there, and stay while the transaction runs."""
    names = sorted(set(digests))
    weaker = [other for other in Kept if pictures.retention.strongest((other, kept)) is kept]
    until = pictures.retention.keep_until_s(kept, now_s)
    stronger = case((Picture.kept_as.in_(weaker), str(kept)), else_=Picture.kept_as)
    later = None if until is None else case((Picture.keep_until_s < until, until), else_=Picture.keep_until_s)
    there: set[str] = set()
    for start in range(0, len(names), _AT_ONCE):
        change = update(Picture).where(Picture.digest.in_(names[start : start + _AT_ONCE]), Picture.tier != Tier.GONE)
        change = change.values(kept_as=stronger, keep_until_s=later)
        query = change.returning(Picture.digest).execution_options(synchronize_session=False)
        there.update(session.scalars(query))
    return frozenset(there)


def pictures_of(session: Session, inspection_id: str) -> list[str]:
    """Digests of the pictures and overlays of all views of an inspection."""
    rows = session.execute(select(Frame.picture, Frame.overlay).where(Frame.inspection_id == inspection_id))
    return [digest for row in rows for digest in row if digest]


def _of_each(
    several: Sequence[Sent], before: Sequence[T | InspectionError], do: Callable[[Sent, T], S]
) -> list[S | InspectionError]:
    """What comes of each that nothing was wrong with before; of the others, what was."""
    results: list[S | InspectionError] = []
    for sent, seen in zip(several, before, strict=True):
        try:
            results.append(seen if isinstance(seen, InspectionError) else do(sent, seen))
        except _OF_ONE as error:
            results.append(error)
    return results


def _shown(
    session: Session, view: ViewOf, digest: str
) -> Row[int, str | None, str | None, str, str, str, str, bool, str | None]:
    """The view that may get this picture, and what says how long that is kept."""
    found = (
        session.connection()
        .execute(_VIEW, {"inspection": view.inspection_id, "view": view.view, "digest": digest})
        .first()
    )
    if found is None:
        raise NotFoundError(
            f"inspection {view.inspection_id:.40} with a view {view.view:.40} is not here; send its record first."
        )
    if view.station and found.station != view.station:
        raise AccessError(f"this key is for station {view.station}; the inspection is of {found.station}.")
    before = found.overlay if view.overlay else found.picture
    if before not in (None, digest):
        raise ConflictError(f"the view has picture {before[:12]} already; pictures of inspections are never replaced.")
    return found
