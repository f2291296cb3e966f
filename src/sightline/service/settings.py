"""What one server is told: a TOML file, the environment over it, options over both. docs/server.md has the table."""

import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

from sightline.errors import OptionError
from sightline.evaluation.periods import Calendar
from sightline.evaluation.value import Manual, Prices
from sightline.line.toml_table import Existing, Given, Key, NotNegative, Positive, TomlFile, Within
from sightline.store import shift

PREFIX = "SIGHTLINE_"
_MB = 1_000_000
Count = Annotated[int, Within(low=1, high=1_000_000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """The wire."""

    host: Annotated[str, "Address to listen at; 0.0.0.0 for all"] = "127.0.0.1"
    port: Annotated[int, Within(low=0, high=65_535), "TCP port; 0 takes a free one"] = 8000
    hosts: Annotated[tuple[str, ...], "Names with a dot by which the server is called; others are refused"] = ()
    certificate: Annotated[Path | None, Existing, "PEM file with the certificate and its chain: then TLS only"] = None
    private_key: Annotated[Path | None, Existing, "PEM file with its private key"] = None
    trusted_proxies: Annotated[
        tuple[str, ...], "Addresses of proxies whose X-Forwarded-For and -Proto are believed"
    ] = ()
    most_connections: Annotated[Count, "Connections at once; further ones get 503"] = 500
    largest_body_mb: Annotated[Positive, "Of a request, in megabytes"] = 64.0
    largest_upload_mb: Annotated[Positive, "Of an uploaded model or archive, in megabytes"] = 4000.0
    longest_request_s: Annotated[Positive, "Until an answer begins"] = 120.0
    drain_s: Annotated[Count, "What requests in hand have when the server is told to stop"] = 20

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.private_key is None):
            raise OptionError("TLS takes both certificate and private_key; one of them is missing.")

    @property
    def most_bytes(self) -> int:
        return int(self.largest_body_mb * _MB)

    @property
    def upload_bytes(self) -> int:
        return int(max(self.largest_upload_mb, self.largest_body_mb) * _MB)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """What is kept, and where."""

    folder: Annotated[Path, "Folder for all that is kept, but for what the other keys put elsewhere"] = Path("plant")
    database: Annotated[
        str, "sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/NAME; empty: plant.db in the folder"
    ] = ""

    pictures: Annotated[str, "Folder, s3://BUCKET/PREFIX or gs://BUCKET/PREFIX; empty: in the folder"] = ""
    nearline: Annotated[str, "The same, for pictures that are seldom looked at; empty: with the others"] = ""
    archive: Annotated[str, "The same, for those kept because they must be; empty: with the others"] = ""
    retention: Annotated[Path | None, Existing, "TOML file with how long pictures are kept; docs/pictures.md"] = None
    models: Annotated[str, "Folder or bucket of the models; empty: in the folder"] = ""

    @property
    def url(self) -> str:
        return self.database or f"sqlite:///{self.folder / 'plant.db'}"

    @property
    def picture_shelves(self) -> dict[str, str]:
        """Addresses by tier."""
        given = {"nearline": self.nearline, "archive": self.archive}
        hot = self.pictures or str(self.folder / "pictures")
        return {"hot": hot} | {tier: address for tier, address in given.items() if address}

    @property
    def model_shelf(self) -> str:
        return self.models or str(self.folder / "models")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessSettings:
    """Who may come in, and how."""

    idle_minutes: Annotated[Positive, "After which a login ends that is not used"] = 60.0
    longest_hours: Annotated[Positive, "After which a login ends in any case"] = 12.0
    setup_hours: Annotated[Positive, "For which a set-up link holds"] = 24.0
    tries: Annotated[Count, "Of one account's password from one address within five minutes"] = 5
    signature: Annotated[bool, "Promotions, thresholds and recipes ask for the password again"] = False
    two_people: Annotated[bool, "And for that of a second person; takes signature"] = False
    open_metrics: Annotated[bool, "/metrics asks for no key"] = False

    def __post_init__(self) -> None:
        if self.two_people and not self.signature:
            raise OptionError("two_people takes signature = true.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingSettings:
    """Judging pictures that are sent."""

    workers: Annotated[int, Within(low=0, high=256), "Pictures judged at the same time; 0: one for each core"] = 0
    queue: Annotated[Count, "Pictures that may wait; further ones get 429"] = 64
    apart: Annotated[bool, "Pictures are looked at in processes of their own: a crash ends one request only"] = True
    timeout_s: Annotated[Positive, "Within which a picture is judged or refused"] = 10.0
    largest_megapixels: Annotated[Positive, "Of a picture; a larger one is refused before it is decoded"] = 50.0
    buckets: Annotated[tuple[str, ...], "NAME=FOLDER: what Lookout's clients reach as s3://NAME"] = ()

    def __post_init__(self) -> None:
        for bucket in self.buckets:
            name, equals, folder = bucket.partition("=")
            if not (name and equals and folder):
                raise OptionError(f"buckets: {bucket!r:.80}; write NAME=FOLDER.")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSettings:
    """Work in the background."""

    workers: Annotated[int, Within(low=0, high=64), "Jobs at the same time; 0: this server runs none"] = 1
    data: Annotated[Path | None, "Folder with the pictures to learn from; empty: data in the folder"] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSettings:
    """What the server may call."""

    networks: Annotated[tuple[str, ...], "Private networks it may reach, say 10.1.0.0/16; public ones it may"] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class QualitySettings:
    """The figures of quality."""

    time_zone: Annotated[str, "Of the plant, say Europe/Berlin"] = "UTC"
    shifts: Annotated[tuple[str, ...], "When they begin, by the plant's clock"] = ("06:00", "14:00", "22:00")
    stop_s: Annotated[Positive, "A station without parts for longer stood still"] = 300.0
    currency: Annotated[str, "Of the prices; empty: money is not reckoned"] = ""
    price_escape: Annotated[NotNegative, "Of a bad part that reaches the customer"] = 0.0
    price_overkill: Annotated[NotNegative, "Of a good part that is rejected"] = 0.0
    price_review: Annotated[NotNegative, "Of a part that somebody looks at on a screen"] = 0.0
    price_manual: Annotated[NotNegative, "Of a part that somebody inspects"] = 0.0
    manual_recall: Annotated[float, Within(low=0.0, high=1.0), "Share of bad parts that people find without it"] = 0.8
    manual_overkill: Annotated[float, Within(low=0.0, high=1.0), "Share of good parts that they reject"] = 0.01

    def __post_init__(self) -> None:
        Calendar(zone=self.time_zone, shifts=self.shifts)

    @property
    def shift(self) -> shift.Settings:
        """As the figures take them."""
        prices = Prices(
            escape=self.price_escape,
            overkill=self.price_overkill,
            review=self.price_review,
            manual=self.price_manual,
            currency=self.currency,
        )
        return shift.Settings(
            calendar=Calendar(zone=self.time_zone, shifts=self.shifts),
            prices=prices if self.currency else None,
            manual=Manual(recall=self.manual_recall, overkill=self.manual_overkill),
            stop_s=self.stop_s,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelStudioSettings:
    """Label Studio's backend."""

    uploads: Annotated[Path | None, "Its folder media/upload; empty: uploaded pictures cannot be read"] = None
    files: Annotated[Path | None, "Its LOCAL_FILES_DOCUMENT_ROOT; empty: local files cannot be read"] = None
    train_every: Annotated[int, Within(low=0, high=100_000), "Annotations after which it learns; 0: when asked"] = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All of it; every key has a default."""

    server: ServerSettings = field(default_factory=ServerSettings)
    store: StoreSettings = field(default_factory=StoreSettings)
    access: AccessSettings = field(default_factory=AccessSettings)
    serving: ServingSettings = field(default_factory=ServingSettings)
    jobs: JobSettings = field(default_factory=JobSettings)
    network: NetworkSettings = field(default_factory=NetworkSettings)
    quality: QualitySettings = field(default_factory=QualitySettings)
    label_studio: LabelStudioSettings = field(default_factory=LabelStudioSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One key."""

    key: tuple[str, str]
    kind: Any
    default: object
    told: str

    @property
    def variable(self) -> str:
        """In the environment."""
        return f"{PREFIX}{'_'.join(self.key).upper()}"

    @property
    def written(self) -> str:
        """The default, as TOML; empty where there is none."""
        return "" if self.default is None else json.dumps(self.default, default=str, ensure_ascii=False)


def read(path: Path | None, environment: Mapping[str, str], options: Mapping[Key, Given]) -> Settings:
    """
    Args:
        path: of the file; None where there is none.
        environment: SIGHTLINE_SECTION_KEY counts; lists have commas between.
        options: of the command line.

    Raises:
        OptionError: everything that is wrong, a line for each, with file and line, variable or option.
    """
    known = {one.variable: one for one in explained()}
    sections = tuple(f"{PREFIX}{section.name.upper()}_" for section in fields(Settings))
    strange = sorted(name for name in environment if name.startswith(sections) and name not in known)
    if strange:
        raise OptionError(
            f"environment, {', '.join(strange[:5])}: there is no such setting; `sightline serve settings` lists them."
        )
    given: dict[Key, Given] = {
        one.key: Given(place=f"environment, {name}", value=_value(environment[name], one.kind))
        for name, one in known.items()
        if name in environment
    }
    return TomlFile(path or Path(os.devnull), {}).read(Settings, {**given, **options})


def explained() -> Iterator[Explained]:
    """Every key, in the order of the file."""
    for section in fields(Settings):
        record: Any = section.default_factory
        assert is_dataclass(record)
        hints = get_type_hints(record, include_extras=True)
        for one in fields(record):
            kind, *marks = get_args(hints[one.name])
            told = next(mark for mark in marks if isinstance(mark, str))
            yield Explained(key=(section.name, one.name), kind=kind, default=one.default, told=told)


def example() -> str:
    """A file with every key at its default, explained."""
    lines: list[str] = []
    for one in explained():
        if f"[{one.key[0]}]" not in lines:
            lines += ["", f"[{one.key[0]}]"] if lines else [f"[{one.key[0]}]"]
        lines += [
            f"# {one.told} ({one.variable})",
            f"{one.key[1]} = {one.written}" if one.written else f"# {one.key[1]} =",
        ]
    return "\n".join([*lines, ""])


def _value(text: str, kind: Any) -> object:
    """What a variable says, as TOML would have it; text that is none of its key's kind is refused with the rest."""
    if kind is str:
        return text
    if kind == tuple[str, ...]:
        return [part.strip() for part in text.split(",") if part.strip()]
    if kind in (Path, Path | None):
        return str(Path(text).absolute()) if text else ""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
