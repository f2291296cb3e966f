"""What a `.sight` file says about its model, as values and as strict JSON.

The JSON has the records' fields as its keys, all of them and no others, and one more, `digest`: the SHA-256 of the
canonical JSON (sorted keys, no white space) of everything else. The digest shows that a threshold was edited or a byte
was lost. It is an integrity check, not a signature: whoever can write the file can compute it anew.
"""

import hashlib
import json
import math
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from itertools import pairwise
from types import NoneType, UnionType
from typing import Any, NoReturn, TypeVar, get_args, get_origin, get_type_hints

from sightline.errors import BundleError
from sightline.name_rules import MAX_SIDE_PX, Locating, Naming, RegionRule, quoted, refuse, require_sha256
from sightline.segment_rule import SegmentRule

FORMAT_VERSION = 4  # of new files; older ones are read as well
MOST_PRODUCTS = 100
AGAIN = "copy it again from where it was made, or train again"  # the cure for what is damaged or altered

JsonScalar = str | int | float | bool | None
# key -> the version that brought it, and what files without it mean
_ADDED: dict[str, tuple[int, JsonScalar | tuple[()]]] = {
    "input.depth": (2, False),
    "products": (2, ()),
    "naming": (3, None),
    "regions": (3, None),
    "segments": (4, None),
    "locating": (4, None),
}
Record = TypeVar("Record")

_KIND_NAMES = {str: "text", int: "a whole number", float: "a number", bool: "true or false", NoneType: "null"}
_METHOD = re.compile(r"[a-z][a-z0-9_-]{0,63}")
# what would break a one-line message, command a terminal, or fail to encode; other scripts' letters and spaces are fine
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSpec:
    """The pixels that the graph takes; the same pairs of type and depth as `Frame`."""

    dtype: str  # "uint8" or "uint16"
    bit_depth: int  # significant bits: 8 for uint8, 9..16 for uint16
    depth: bool = False  # whether it takes a depth map, (H, W) uint16, beside the picture

    def __post_init__(self) -> None:
        if self.dtype not in ("uint8", "uint16"):
            refuse("input.dtype", f"is {quoted(self.dtype)}; it must be 'uint8' or 'uint16'")
        if not (self.bit_depth == 8 if self.dtype == "uint8" else 8 < self.bit_depth <= 16):
            refuse("input.bit_depth", f"is {self.bit_depth}; it must be 8 for uint8 and 9 to 16 for uint16")


BAND = "; REVIEW band: "  # in rule and promise, between what is said of the threshold and what of the band


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Where raw scores become verdicts, and what that was set for."""

    reject: float  # a score that reaches it is a REJECT
    review: float | None  # a score that reaches it is at least a REVIEW; None: no review band
    rule: str  # how they were set, in words
    promise: str  # what is promised, in words
    max_overkill: float | None  # the promised share of good parts rejected, 0..1; None: no such promise

    def __post_init__(self) -> None:
        if not math.isfinite(self.reject):
            refuse("thresholds.reject", f"is {self.reject}; it must be finite")
        if self.review is not None and not self.review <= self.reject:
            refuse("thresholds.review", f"is {self.review}; it must not be above thresholds.reject, {self.reject}")
        if self.max_overkill is not None and not 0 <= self.max_overkill <= 1:
            refuse("thresholds.max_overkill", f"is {self.max_overkill}; it must be a share from 0 to 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The scores of good images that the model had not seen, from which thresholds and p-values come."""

    # ascending; the graph's raw float32 values, widened and never rounded
    good_scores: tuple[float, ...] = field(repr=False)
    source: str  # in words, e.g. "5-fold cross-calibration over all 761 training images"

    def __post_init__(self) -> None:
        if not all(math.isfinite(score) for score in self.good_scores):
            refuse("calibration.good_scores", "has a value that is not finite")
        if any(low > high for low, high in pairwise(self.good_scores)):
            refuse("calibration.good_scores", "is not sorted ascending")


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What the model was made from. There is no date in it: the same data, settings and seed give the same file."""

    dataset: str
    images: int
    dataset_sha256: str
    seed: int
    config: dict[str, JsonScalar]
    backbone: str
    backbone_sha256: str

    def __post_init__(self) -> None:
        require_sha256("provenance.dataset_sha256", self.dataset_sha256)
        require_sha256("provenance.backbone_sha256", self.backbone_sha256)
        for key, number in (("provenance.images", self.images), ("provenance.seed", self.seed)):
            if number < 0:
                refuse(key, f"is {number}; it must not be negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """One of several products that a model was trained on."""

    name: str
    images: int  # good pictures it learned from
    thresholds: Thresholds | None  # None: the bank is unified, and the model's own thresholds apply
    calibration: Calibration  # scores of this product's good pictures
    config: dict[str, JsonScalar]  # what its training chose; empty where the bank is unified

    def __post_init__(self) -> None:
        if not is_product_name(self.name):
            refuse("products.name", f"is {quoted(self.name)}; it must be 1 to 100 characters, no space at its ends")
        if self.images < 0:
            refuse("products.images", f"is {self.images}; it must not be negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Everything about a model but its graph.

    Raises:
        BundleError: a value is out of its range; the message names the key.
    """

    format_version: int = FORMAT_VERSION
    sightline_version: str
    method: str  # a lower-case word: "patchcore", "padim"
    graph_sha256: str  # of the bytes of `model.onnx`, lower-case hex
    input: InputSpec
    working_size: tuple[int, int]  # (height, width) in px to which the graph resizes a frame or a tile
    tile: int | None  # side in px of the tiles that a large frame is cut into; None: not cut
    labels: tuple[str, ...]
    thresholds: Thresholds
    calibration: Calibration
    provenance: Provenance
    products: tuple[Product, ...] = ()  # none, or two and more, in the order of the graph's `product` input
    naming: Naming | None = None  # None: the graph tells good from bad, and gives no names
    regions: RegionRule | None = None  # None: no other model names the regions that this one finds
    segments: SegmentRule | None = None  # None: the graph gives no mask for each class of defects
    locating: Locating | None = None  # None: the graph finds no boxes

    def __post_init__(self) -> None:
        if not 1 <= self.format_version <= FORMAT_VERSION:
            refuse("format_version", f"is {self.format_version}; this Sightline writes {FORMAT_VERSION}")
        present = {
            "input.depth": self.input.depth,
            "products": self.products,
            "naming": self.naming,
            "regions": self.regions,
            "segments": self.segments,
            "locating": self.locating,
        }
        for key, value in present.items():
            if value and self.format_version < _ADDED[key][0]:
                refuse(key, f"is not known to format {self.format_version}")
        if not _METHOD.fullmatch(self.method):
            refuse("method", f"is {quoted(self.method)}; it must be one lower-case word")
        require_sha256("graph_sha256", self.graph_sha256)
        for key, sides in (("working_size", self.working_size), ("tile", () if self.tile is None else (self.tile,))):
            if not all(0 < side <= MAX_SIDE_PX for side in sides):
                refuse(key, f"is {', '.join(map(str, sides))}; it must be from 1 to {MAX_SIDE_PX} px")
        if "" in self.labels or len(set(self.labels)) != len(self.labels):
            refuse("labels", "has an empty or a repeated label")
        if self.products:
            self._check_products()
        self._check_names()

    def _check_names(self) -> None:
        if self.naming is not None and (self.naming.names != self.labels or self.products):
            refuse("naming.classes", "must be the labels in their order, and there must be no products")
        if self.regions is not None and self.naming is not None:
            refuse("regions", "is for a model that gives no names itself")
        if self.segments is not None and (self.naming or self.regions or self.products or len(self.labels) < 2):
            refuse("segments", "takes good and one class of defects at least, and neither other names nor products")
        if self.locating is not None:
            if self.labels[1:] != tuple(rule.name for rule in self.locating.classes):
                refuse("locating.classes", "must be the labels after the first, in their order")
            if self.naming is not None or self.regions is not None or self.products:
                refuse("locating", "is for a model with neither naming nor regions nor products")

    @property
    def names_defects(self) -> bool:
        """Whether the graph itself tells one kind of defect from another."""
        return self.naming is not None or self.segments is not None or self.locating is not None

    def _check_products(self) -> None:
        names = {product.name for product in self.products}
        if not 2 <= len(self.products) <= MOST_PRODUCTS or len(names) != len(self.products):
            refuse("products", f"must have from 2 to {MOST_PRODUCTS} different names")
        if len({product.thresholds is None for product in self.products}) > 1:
            refuse("products.thresholds", "is null for some; it must be so for all products or for none")
        lowest = [product.thresholds.reject for product in self.products if product.thresholds is not None]
        if lowest and self.thresholds.reject != min(lowest):
            refuse("thresholds.reject", f"is {self.thresholds.reject}; it must be the products' lowest, {min(lowest)}")

    @property
    def separate(self) -> tuple[str, ...]:
        """Names of the products with a bank each, of which one must be chosen to judge; else none."""
        return tuple(product.name for product in self.products if product.thresholds is not None)


def digest(manifest: Manifest) -> str:
    """SHA-256, in hex, of the manifest's canonical JSON; an integrity check, not a signature."""
    return _sha256(_canonical(_content(manifest)))


def model_id(manifest: Manifest) -> str:
    """12 hex digits that name the model together with its thresholds: changing either changes them."""
    return _sha256(digest(manifest).encode())[:12]


def to_json(manifest: Manifest) -> bytes:
    """The manifest with its digest, as ASCII JSON; equal manifests give equal bytes.

    Raises:
        BundleError: a value is of the wrong type, so that `from_json` would refuse it; the message names the key.
    """
    content = _content(manifest)
    return _canonical({**content, "digest": _sha256(_canonical(content))})


def from_json(text: bytes) -> Manifest:
    """The manifest in `text`, of which nothing is trusted.

    Raises:
        BundleError: not strict JSON, of another format version, a key unknown, missing, of the wrong type or out of
            range, or the digest does not fit. The message names the key and the cure, but not the file.
    """
    try:
        document = _parsed(text)
        other_version = _other_version(document)
        if not other_version:
            return _verified(document)
    except BundleError as error:
        raise BundleError(f"{error}; {AGAIN}") from error
    raise BundleError(other_version)


def _verified(document: dict[str, Any]) -> Manifest:
    if "digest" not in document:
        refuse("digest", "is missing")
    content = _completed({key: value for key, value in document.items() if key != "digest"})
    manifest = _record(Manifest, content, "")
    if document["digest"] != digest(manifest):
        refuse("digest", "does not fit the rest, so the manifest was altered or damaged")
    return manifest


def is_product_name(text: str) -> bool:
    """Whether a product may be called so: 1 to 100 printable characters, no space at its ends."""
    return 0 < len(text) <= 100 and text == text.strip() == printable(text)


def printable(text: str) -> str:
    """`text` as a manifest takes it: what is no character of any script, as in odd file names, is replaced."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def one_line(error: Exception) -> str:
    """What a foreign exception says, short and without line breaks."""
    return " ".join(ascii(str(error))[1:-1].replace("\\n", " ").split())[:200]


def _content(manifest: Manifest) -> dict[str, Any]:
    # through the reader, so that what it would refuse is never written, and 1 and 1.0 give one digest
    content = asdict(_record(Manifest, asdict(manifest), ""))
    for parent, key in _later_keys(content):
        del parent[key.rpartition(".")[2]]
    return content


def _completed(content: dict[str, Any]) -> dict[str, Any]:
    """The content of an older file with the keys that it does not know, at what their absence means."""
    for parent, key in _later_keys(content):
        if (name := key.rpartition(".")[2]) in parent:
            refuse(key, "is unknown")
        parent[name] = _ADDED[key][1]
    return content


def _later_keys(content: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Each key that is newer than the content's version, after the object it belongs to."""
    for key, (version, _) in _ADDED.items():
        record = key.rpartition(".")[0]
        parent = content.get(record) if record else content
        if content["format_version"] < version and isinstance(parent, dict):
            yield parent, key


def _canonical(content: dict[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def _parsed(text: bytes) -> dict[str, Any]:
    try:
        document = json.loads(text.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BundleError(f"manifest.json is not JSON in UTF-8 ({one_line(error)})") from error
    except (RecursionError, ValueError) as error:  # ValueError: a whole number of thousands of digits
        raise BundleError("manifest.json is nested too deeply or has a number that is too long") from error
    if not isinstance(document, dict):
        raise BundleError(f"manifest.json holds {type(document).__name__}; it must be a JSON object")
    return document


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for key, value in pairs:
        if key in document:
            refuse(key, "occurs twice")
        document[key] = value
    return document


def _no_constant(name: str) -> NoReturn:
    raise BundleError(f"manifest.json has the number {name}; every number must be finite")


def _other_version(document: dict[str, Any]) -> str:
    """Why a file of this format version cannot be read, and the cure; empty if it can."""
    if "format_version" not in document:
        refuse("format_version", "is missing")
    version = _scalar((int,), document["format_version"], "format_version")
    if 1 <= version <= FORMAT_VERSION:
        return ""
    found = f"{quoted(document.get('sightline_version'))}, format {version}; this one reads up to {FORMAT_VERSION}"
    if version > FORMAT_VERSION:
        return f"was made by a newer Sightline ({found}): upgrade Sightline"
    return f"was made by an older Sightline ({found}): train again with this one"


def _record(kind: type[Record], value: object, key: str) -> Record:
    if not isinstance(value, dict):
        refuse(key, f"is {_kind_of(value)}; it must be an object")
    prefix = f"{key}." if key else ""
    names = [member.name for member in fields(kind)]  # type: ignore[arg-type]  # every record is a dataclass
    for name in value:
        if name not in names:
            refuse(f"{prefix}{name}", "is unknown")
    for name in names:
        if name not in value:
            refuse(f"{prefix}{name}", "is missing")
    kinds = get_type_hints(kind)
    return kind(**{name: _decoded(kinds[name], value[name], f"{prefix}{name}") for name in names})


def _decoded(kind: Any, value: object, key: str) -> Any:
    """`value` as the annotated `kind`: a record or None, a tuple, a dict of scalars, or one of a union of scalars."""
    if is_dataclass(kind):
        return _record(kind, value, key)  # type: ignore[arg-type]  # it is a class, never an instance
    origin, inner = get_origin(kind), get_args(kind)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            refuse(key, f"is {_kind_of(value)}; it must be a list")
        if inner[-1] is not Ellipsis and len(value) != len(inner):
            refuse(key, f"has {len(value)} values; it must have {len(inner)}")
        return tuple(_decoded(inner[0], item, key) for item in value)
    if origin is dict:
        if not isinstance(value, dict):
            refuse(key, f"is {_kind_of(value)}; it must be an object")
        kinds = get_args(inner[1])
        return {_scalar((str,), name, key): _scalar(kinds, item, f"{key}.{name}") for name, item in value.items()}
    if origin is UnionType and is_dataclass(inner[0]):
        return None if value is None else _record(inner[0], value, key)  # type: ignore[arg-type]  # as above
    return _scalar(inner if origin is UnionType else (kind,), value, key)


def _scalar(kinds: tuple[type, ...], value: object, key: str) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        if not -(2**63) <= value < 2**63:
            refuse(key, "is a whole number of more than 64 bits")
        if float in kinds and int not in kinds:
            value = float(value)
    # bool is a subclass of int, and true is not 1
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        refuse(key, f"is {_kind_of(value)}; it must be {' or '.join(_KIND_NAMES[kind] for kind in kinds)}")
    if isinstance(value, float) and not math.isfinite(value):
        refuse(key, f"is {value}; it must be finite")
    if isinstance(value, str) and _UNPRINTABLE.search(value):
        refuse(key, f"is {quoted(value)}; text must be free of control characters and unpaired surrogates")
    return value


def _kind_of(value: object) -> str:
    return {**_KIND_NAMES, list: "a list", dict: "an object"}.get(type(value), type(value).__name__)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
