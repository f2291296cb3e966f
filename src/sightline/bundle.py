"""The `.sight` file: a model's graph and its manifest in one ZIP that is never unpickled and never trusted.

It holds exactly `manifest.json`, `model.onnx`, where the model can be extended `window.bin`, where it keeps pieces of
its good pictures `exemplars.bin`, and where another model names the regions that this one finds that model,
`names.sight`, whole; all stored without
compression, with fixed order, times and permissions: the same content gives the same bytes, and no entry is larger
than the file. Hashes show damage and careless edits; they are not a signature. A graph that loads is plain ONNX that
reads no file and runs no foreign code, but how much memory and time it takes when run is for whoever runs it to bound.
"""

import hashlib
import math
import os
import stat
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import onnx
from google.protobuf.message import DecodeError, Message

from sightline.errors import BundleError
from sightline.files import write_bytes
from sightline.manifest import AGAIN, JsonScalar, Manifest, from_json, model_id, one_line, to_json
from sightline.models.features import BOXES, MASKS, WEIGHTS
from sightline.models.prototypes import EMBEDDING, SIMILARITIES
from sightline.name_rules import quoted

MANIFEST_NAME = "manifest.json"
GRAPH_NAME = "model.onnx"
WINDOW_NAME = "window.bin"  # what `sightline train --extend` needs; in no file whose manifest does not name its hash
NAMES_NAME = "names.sight"  # in no file whose manifest has no `regions`
EXEMPLARS_NAME = "exemplars.bin"  # pieces of good pictures; as with the window
WINDOW_HASH, EXEMPLARS_HASH = "window_sha256", "exemplars_sha256"  # in the manifest's `provenance.config`
MAX_FILE_BYTES = 1 << 30
MAX_ENTRY_BYTES = {
    MANIFEST_NAME: 64 << 20,
    GRAPH_NAME: 1 << 30,
    WINDOW_NAME: 1 << 30,
    EXEMPLARS_NAME: 16 << 20,
    NAMES_NAME: 1 << 30,
}
MAX_DIRECTORY_BYTES = 64 << 10  # of the ZIP's list of entries; ours takes 171
MAX_WIRE_FIELDS = 300_000  # of the graph's protobuf; a network of 500 nodes has about 10,000
MAX_TENSOR_BYTES = 1 << 30  # of all constants together, by their declared shapes

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a ZIP can state
_KINDS = {  # first bytes of what is handed over by mistake
    b"PK\x05\x06": "an empty ZIP",
    b"\x80": "a Python pickle, which Sightline never opens",
    b"\x08": "a bare ONNX graph, without a manifest",
    b"\x1f\x8b": "a gzip file",
    b"7z\xbc\xaf": "a 7-Zip file",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"\x89HDF": "an HDF5 file",
    b"version https://git-lfs": "a Git LFS pointer (run `git lfs pull`)",
    b"<": "a web page or XML",
    b"{": "JSON text",
}
_DAMAGE = (zipfile.BadZipFile, RuntimeError, EOFError, OSError, ValueError, OverflowError, struct.error)
_PIXEL_TYPES = {"uint8": onnx.TensorProto.UINT8, "uint16": onnx.TensorProto.UINT16}
_ELEMENT_BYTES: dict[int, int] = {
    onnx.TensorProto.FLOAT: 4,
    onnx.TensorProto.FLOAT16: 2,
    onnx.TensorProto.BFLOAT16: 2,
    onnx.TensorProto.DOUBLE: 8,
    onnx.TensorProto.BOOL: 1,
    onnx.TensorProto.INT8: 1,
    onnx.TensorProto.UINT8: 1,
    onnx.TensorProto.INT16: 2,
    onnx.TensorProto.UINT16: 2,
    onnx.TensorProto.INT32: 4,
    onnx.TensorProto.UINT32: 4,
    onnx.TensorProto.INT64: 8,
    onnx.TensorProto.UINT64: 8,
}
_UNBOUNDED_OPS = ("Loop", "Scan")  # can run forever; no model of ours needs them
_FOREIGN_PARTS = {
    "FunctionProto": "functions of its own",  # nested calls multiply without bound
    "TrainingInfoProto": "training information",
    "SparseTensorProto": "a sparse tensor",  # a few bytes can declare any size
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A `.sight` file that passed every check."""

    manifest: Manifest
    # ONNX: `image` (H, W, C), with it `depth` (H, W), and `product` () where there is a bank for each, to float32
    # `score` () and `map` (h, w); where it names defects also to `probabilities` (K,), `activations` (K, h, w),
    # `embedding` (D,) and `similarities` (K + T,); where it outlines them to `masks` (K, h, w); where it finds boxes to
    # `boxes` (n, 4), `confidences` (n,) and `classes` (n,)
    graph: bytes = field(repr=False)
    model_id: str  # 12 hex digits; changes with the graph and with the thresholds
    path: Path
    window: bytes | None = field(default=None, repr=False)  # as its hash says, else unchecked; None: not extendable
    names: "Bundle | None" = None  # names the regions that this model finds; None: nothing does
    names_file: bytes | None = field(default=None, repr=False)  # the same as it lies in the file, as `save` takes it
    exemplars: bytes | None = field(default=None, repr=False)  # as the window; None: it keeps no good pictures


def save(
    path: str | os.PathLike[str],
    graph: bytes,
    manifest: Manifest,
    window: bytes | None = None,
    names: bytes | None = None,
    exemplars: bytes | None = None,
) -> None:
    """Write a `.sight` file in one step: whatever happens, `path` holds the whole new file or what it held before.

    Args:
        names: a `.sight` file of a classifier, whole.

    Raises:
        BundleError: `load` would refuse the result.
        StoreError: it could not be written; the message has the cure.
    """
    path = Path(path)
    try:
        content = packed(graph, manifest, window, names, exemplars)
    except BundleError as error:
        raise BundleError(f"{path}: {error}.") from error
    write_bytes(path, content)


def save_changed(path: str | os.PathLike[str], bundle: Bundle, manifest: Manifest) -> None:
    """Write the same model with another manifest, say with other thresholds; errors as `save`."""
    save(path, bundle.graph, manifest, bundle.window, bundle.names_file, bundle.exemplars)


def load(path: str | os.PathLike[str]) -> Bundle:
    """Read a `.sight` file and check all of it; nothing in it is run.

    Raises:
        BundleError: it is missing, damaged, altered, of another version, or its graph is not one that Sightline runs;
            one line with the path, what was found, and the cure.
    """
    path = Path(path)
    try:
        try:
            size = _regular_size(path)
            with path.open("rb") as file:
                return _loaded(file, size, path)
        except PermissionError as error:
            raise BundleError("no permission to read it; change its permissions") from error
        except _DAMAGE as error:
            raise BundleError(f"cannot be read ({one_line(error)}); {AGAIN}") from error
    except BundleError as error:
        raise BundleError(f"{path}: {error}.") from error


def _loaded(file: BinaryIO, size: int, path: Path, *, inner: bool = False) -> Bundle:
    manifest, entries = _unpacked(file, size)
    if inner and manifest.naming is None:  # so that files cannot lie within one another without end
        raise BundleError(f"gives no names; {AGAIN}")
    window, exemplars, names = (entries.get(name) for name in (WINDOW_NAME, EXEMPLARS_NAME, NAMES_NAME))
    _check_extras(window, exemplars, manifest)
    named = _names_of(names, manifest, path)
    _check_graph(entries[GRAPH_NAME], manifest)
    return Bundle(
        manifest=manifest,
        graph=entries[GRAPH_NAME],
        model_id=model_id(manifest),
        path=path,
        window=window,
        names=named,
        names_file=names,
        exemplars=exemplars,
    )


def extract_graph(bundle: Bundle, path: str | os.PathLike[str]) -> None:
    """Write the bare ONNX graph, for other ONNX runtimes; it has no thresholds.

    Raises:
        StoreError: it could not be written; `path` is as it was.
    """
    write_bytes(Path(path), bundle.graph)


def packed(
    graph: bytes,
    manifest: Manifest,
    window: bytes | None = None,
    names: bytes | None = None,
    exemplars: bytes | None = None,
) -> bytes:
    """The bytes of a `.sight` file; arguments as `save`, errors too, but without the path."""
    _check_extras(window, exemplars, manifest)
    _names_of(names, manifest, Path(NAMES_NAME))
    _check_graph(graph, manifest)
    contents = {MANIFEST_NAME: to_json(manifest), GRAPH_NAME: graph}
    extras = {WINDOW_NAME: window, EXEMPLARS_NAME: exemplars, NAMES_NAME: names}
    contents |= {name: content for name, content in extras.items() if content is not None}
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in contents.items():
            if len(content) > MAX_ENTRY_BYTES[name]:
                raise BundleError(f"{name} takes {len(content)} bytes, over the limit of {MAX_ENTRY_BYTES[name]}")
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = 3  # Unix, on every system
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, content)
    if buffer.tell() > MAX_FILE_BYTES:
        raise BundleError(f"the file takes {buffer.tell()} bytes, over the limit of {MAX_FILE_BYTES}")
    return buffer.getvalue()


def _regular_size(path: Path) -> int:
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:  # ValueError: a zero byte in the path
        raise BundleError("no such file; give the path of a .sight file") from error
    if not stat.S_ISREG(status.st_mode):  # opening a named pipe would wait forever
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "not a plain file"
        raise BundleError(f"is {kind}; give the path of a .sight file")
    if status.st_size == 0:
        raise BundleError(f"is empty; {AGAIN}")
    if status.st_size > MAX_FILE_BYTES:
        raise BundleError(f"has {status.st_size} bytes, over the limit of {MAX_FILE_BYTES}; give a .sight file")
    return status.st_size


def _unpacked(file: BinaryIO, size: int) -> tuple[Manifest, dict[str, bytes]]:
    _check_ends(file, size)
    with zipfile.ZipFile(file) as archive:
        entries: dict[str, zipfile.ZipInfo] = {}
        for entry in archive.infolist():
            _check_entry(entry)
            if entry.filename in entries:
                raise BundleError(f"holds {quoted(entry.filename)} twice; {AGAIN}")
            entries[entry.filename] = entry
        if MANIFEST_NAME not in entries:
            raise BundleError(f"has no {MANIFEST_NAME}, so it is not a .sight file; {AGAIN}")
        # before the list of entries: a newer format may have more, and "upgrade" is then the right cure
        manifest = from_json(_content(archive, entries[MANIFEST_NAME]))
        if GRAPH_NAME not in entries:
            raise BundleError(f"has no {GRAPH_NAME}; {AGAIN}")
        if extra := sorted(entries.keys() - MAX_ENTRY_BYTES.keys()):
            raise BundleError(f"holds {quoted(extra[0])}, which does not belong in a .sight file; {AGAIN}")
        others = entries.keys() - {MANIFEST_NAME}
        return manifest, {name: _content(archive, entries[name]) for name in sorted(others)}


def _check_ends(file: BinaryIO, size: int) -> None:
    """See that it is a ZIP from the first byte to the last whose list of entries is small, before that is read."""
    start = file.read(32)
    if not start.startswith(b"PK\x03\x04"):
        kind = next((kind for magic, kind in _KINDS.items() if start.startswith(magic)), "no kind of file known here")
        raise BundleError(f"is not a .sight file: it looks like {kind}; give the file that `sightline train` wrote")
    file.seek(max(0, size - 42))
    tail = file.read(42)
    end = tail[-22:]
    if not end.startswith(b"PK\x05\x06") or end[20:] != b"\0\0":
        raise BundleError(f"is cut off, or has something after its end; {AGAIN}")
    # a ZIP64 record would take the place of the numbers that were checked here
    if int.from_bytes(end[12:16], "little") > MAX_DIRECTORY_BYTES or tail.startswith(b"PK\x06\x07"):
        raise BundleError(f"has far too many entries for a .sight file; {AGAIN}")


def _check_entry(entry: zipfile.ZipInfo) -> None:
    name = entry.orig_filename  # `filename` ends at a zero byte
    mode = entry.external_attr >> 16
    if name.startswith(("/", "\\")) or ":" in name or "\0" in name or ".." in name.replace("\\", "/").split("/"):
        problem = "whose name leads out of the file"
    elif entry.is_dir() or stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        problem = "which is a link, a folder or a device"
    elif entry.flag_bits & 0x2041:  # encrypted, strongly encrypted, masked headers
        problem = "which is encrypted"
    elif entry.compress_type != zipfile.ZIP_STORED:
        problem = "which is compressed"
    elif entry.file_size != entry.compress_size:
        problem = "whose declared size is not its size"
    elif entry.file_size > MAX_ENTRY_BYTES.get(name, MAX_FILE_BYTES):
        problem = f"which is too large ({entry.file_size} bytes)"
    else:
        return
    raise BundleError(f"holds {quoted(name)}, {problem}; {AGAIN}")


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    content = archive.read(entry)
    if len(content) != entry.file_size:
        raise BundleError(f"{entry.filename} has {len(content)} bytes, declared are {entry.file_size}; {AGAIN}")
    return content


def hashes_of(window: bytes | None, exemplars: bytes | None) -> dict[str, JsonScalar]:
    """What a manifest's `provenance.config` says of them; nothing of what is not there."""
    parts = {WINDOW_HASH: window, EXEMPLARS_HASH: exemplars}
    return {key: hashlib.sha256(content).hexdigest() for key, content in parts.items() if content is not None}


def _check_extras(window: bytes | None, exemplars: bytes | None, manifest: Manifest) -> None:
    """See that these are the bytes the manifest names, or that it names none; what they hold is for their readers.

    Raises:
        BundleError: one line without the path.
    """
    for content, key, name, what in (
        (window, WINDOW_HASH, WINDOW_NAME, "window of images"),
        (exemplars, EXEMPLARS_HASH, EXEMPLARS_NAME, "album of good pictures"),
    ):
        named = manifest.provenance.config.get(key)
        if content is None and named is not None:
            raise BundleError(f"has no {name}, which its manifest names; {AGAIN}")
        if content is not None and hashlib.sha256(content).hexdigest() != named:
            raise BundleError(f"{name} is not the {what} the manifest names (SHA-256 differs); {AGAIN}")


def _names_of(names: bytes | None, manifest: Manifest, path: Path) -> Bundle | None:
    """The model in these bytes that names regions, checked as any other; None where the manifest has no `regions`.

    Raises:
        BundleError: one line without the path.
    """
    rule = manifest.regions
    if (names is None) != (rule is None):
        raise BundleError(f"its manifest and its list of entries differ about {NAMES_NAME}; {AGAIN}")
    if names is None or rule is None:
        return None
    if hashlib.sha256(names).hexdigest() != rule.names_sha256:
        raise BundleError(f"{NAMES_NAME} is not the model the manifest names (SHA-256 differs); {AGAIN}")
    try:
        found = _loaded(BytesIO(names), len(names), path, inner=True)
    except _DAMAGE as error:
        raise BundleError(f"{NAMES_NAME} cannot be read ({one_line(error)}); {AGAIN}") from error
    except BundleError as error:
        raise BundleError(f"{NAMES_NAME}: {error}") from error
    if found.manifest.input != replace(manifest.input, depth=False):
        raise BundleError(f"{NAMES_NAME} takes pictures of another depth than the model; {AGAIN}")
    return found


def _check_graph(graph: bytes, manifest: Manifest) -> None:
    """See that these are the bytes the manifest names, and a graph that Sightline runs.

    Raises:
        BundleError: one line without the path.
    """
    if hashlib.sha256(graph).hexdigest() != manifest.graph_sha256:
        raise BundleError(f"{GRAPH_NAME} is not the graph the manifest names (SHA-256 differs); {AGAIN}")
    try:
        _check_wire(graph)
        model = onnx.load_model_from_string(graph)
        _check_parts(model)
        _check_versions(model)
        _check_ports(model.graph, manifest)
        onnx.checker.check_model(graph)
    except (DecodeError, LookupError, onnx.checker.ValidationError, RuntimeError, ValueError) as error:
        raise BundleError(f"{GRAPH_NAME} is not a valid ONNX graph ({one_line(error)}); {AGAIN}") from error
    except BundleError as error:
        raise BundleError(f"{GRAPH_NAME} {error}; export it again as one plain ONNX graph") from error


def _check_wire(graph: bytes) -> None:
    """Bound the number of protobuf fields before a parser makes an object of each: two bytes can ask for a hundred."""
    pending = [(0, len(graph), onnx.ModelProto.DESCRIPTOR)]
    count = 0
    while pending:
        at, end, kind = pending.pop()
        children = kind.fields_by_number
        while at < end:
            count += 1
            if count > MAX_WIRE_FIELDS:
                raise BundleError(f"has more than {MAX_WIRE_FIELDS} fields")
            key, at = _varint(graph, at)
            if key & 7 == 2:  # a length and so many bytes: text, numbers, or a message
                size, at = _varint(graph, at)
                child = children.get(key >> 3)
                if child is not None and child.message_type is not None:
                    pending.append((at, at + size, child.message_type))
                at += size
            elif key & 7 == 0:
                _, at = _varint(graph, at)
            else:
                at += {1: 8, 5: 4}[key & 7]
        if at != end:
            raise ValueError("a field ends outside its message")


def _varint(wire: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while (byte := wire[at]) >= 0x80:
        value |= (byte & 0x7F) << shift
        shift += 7
        at += 1
        if shift > 63:
            raise ValueError("a number is too long")
    return value | byte << shift, at + 1


def _check_parts(model: onnx.ModelProto) -> None:
    total_bytes = 0
    for part in _parts(model):
        kind = type(part).__name__
        if kind in _FOREIGN_PARTS:
            raise BundleError(f"has {_FOREIGN_PARTS[kind]}")
        if isinstance(part, onnx.TensorProto):
            total_bytes += _tensor_bytes(part)
            if total_bytes > MAX_TENSOR_BYTES:
                raise BundleError(f"has constants of more than {MAX_TENSOR_BYTES} bytes")
        elif isinstance(part, onnx.NodeProto):
            if part.domain not in ("", "ai.onnx"):
                raise BundleError(f"has an operator of domain {quoted(part.domain)}; only ONNX's own are run")
            if part.op_type in _UNBOUNDED_OPS:
                raise BundleError(f"has the operator {part.op_type}, which can run without end")


def _parts(message: Message) -> Iterator[Message]:
    """`message` and every message in it, at any depth: subgraphs, functions, training, and whatever ONNX adds."""
    yield message
    if isinstance(message, onnx.TensorProto):
        return  # its fields are checked as a whole; listing them would copy the weights
    for descriptor, value in message.ListFields():
        if descriptor.message_type is not None:
            for child in (value,) if isinstance(value, Message) else value:
                yield from _parts(child)


def _tensor_bytes(tensor: onnx.TensorProto) -> int:
    name = quoted(tensor.name)
    if tensor.data_location != onnx.TensorProto.DEFAULT or tensor.external_data:
        raise BundleError(f"keeps the data of tensor {name} in another file")
    if tensor.data_type not in _ELEMENT_BYTES:
        raise BundleError(f"has tensor {name} of element type {tensor.data_type}, which Sightline does not use")
    if any(side < 0 for side in tensor.dims):
        raise BundleError(f"has tensor {name} with a negative side")
    size: int = math.prod(tensor.dims) * _ELEMENT_BYTES[tensor.data_type]
    if tensor.HasField("raw_data") and len(tensor.raw_data) != size:
        raise BundleError(f"has tensor {name} of {len(tensor.raw_data)} bytes where its shape needs {size}")
    return size


def _check_versions(model: onnx.ModelProto) -> None:
    if not 4 <= model.ir_version <= onnx.IR_VERSION:
        raise BundleError(f"has IR version {model.ir_version}; this onnx package reads 4 to {onnx.IR_VERSION}")
    domains = [opset.domain for opset in model.opset_import]
    if domains not in ([""], ["ai.onnx"]):
        raise BundleError(f"uses the operator sets {quoted(domains)}; only ONNX's own are run")
    newest = onnx.defs.onnx_opset_version()
    if not 1 <= model.opset_import[0].version <= newest:
        raise BundleError(f"has opset {model.opset_import[0].version}; this onnx package reads 1 to {newest}")


def _check_ports(graph: onnx.GraphProto, manifest: Manifest) -> None:
    product = {"product": (onnx.TensorProto.INT64, 0)} if manifest.separate else {}
    expected = {
        "input": {"image": (_PIXEL_TYPES[manifest.input.dtype], 3), **product},
        "output": {"score": (onnx.TensorProto.FLOAT, 0), "map": (onnx.TensorProto.FLOAT, 2)},
    }
    if manifest.input.depth:
        expected["input"]["depth"] = (onnx.TensorProto.UINT16, 2)
    if manifest.naming and manifest.naming.weighted:
        expected["input"][WEIGHTS] = (onnx.TensorProto.UINT8, 2)
    if manifest.naming:
        expected["output"] |= {
            "probabilities": (onnx.TensorProto.FLOAT, 1),
            "activations": (onnx.TensorProto.FLOAT, 3),
            EMBEDDING: (onnx.TensorProto.FLOAT, 1),
            SIMILARITIES: (onnx.TensorProto.FLOAT, 1),
        }
    if manifest.segments:
        expected["output"][MASKS] = (onnx.TensorProto.FLOAT, 3)
    if manifest.locating:
        expected["output"] |= {
            BOXES: (onnx.TensorProto.FLOAT, 2),
            "confidences": (onnx.TensorProto.FLOAT, 1),
            "classes": (onnx.TensorProto.FLOAT, 1),
        }
    for side, ports in (("input", graph.input), ("output", graph.output)):
        found = {port.name: _port(port) for port in ports}
        if found != expected[side] or len(ports) != len(found):
            listed = [f"{port.name[:40]} ({_described(_port(port))})" for port in ports[:4]]
            wanted = ", ".join(f"{name} ({_described(port)})" for name, port in expected[side].items())
            raise BundleError(f"has the {side}s {quoted(listed)}; Sightline needs exactly {wanted}")


def _port(port: onnx.ValueInfoProto) -> tuple[int, int | None]:
    """Element type, and number of axes; None where the graph does not say."""
    tensor = port.type.tensor_type
    return tensor.elem_type, len(tensor.shape.dim) if tensor.HasField("shape") else None


def _described(port: tuple[int, int | None]) -> str:
    kind, axes = port
    name = onnx.TensorProto.DataType.Name(kind).lower() if kind in onnx.TensorProto.DataType.values() else "no tensor"
    return f"{name}, {'unknown' if axes is None else axes} axes"
