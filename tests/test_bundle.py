"""The `.sight` file: what is saved is what is loaded, and nothing else is loaded."""

import errno
import hashlib
import os
import signal
import stat
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from sightline import bundle
from sightline.errors import BundleError, StoreError
from sightline.manifest import (
    Calibration,
    InputSpec,
    Manifest,
    Provenance,
    Thresholds,
    digest,
    to_json,
)

FLOAT = TensorProto.FLOAT
JsonObject = dict[str, Any]


def small_model() -> onnx.ModelProto:
    """Score: the largest value of any channel, times two; map: the same per pixel."""
    nodes = [
        helper.make_node("Cast", ["image"], ["pixels"], to=FLOAT),
        helper.make_node("Mul", ["pixels", "gain"], ["scaled"]),
        helper.make_node("ReduceMax", ["scaled"], ["map"], axes=[2], keepdims=0),
        helper.make_node("ReduceMax", ["map"], ["score"], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["h", "w", "c"])],
        [helper.make_tensor_value_info("score", FLOAT, []), helper.make_tensor_value_info("map", FLOAT, ["h", "w"])],
        [numpy_helper.from_array(np.array([2.0], np.float32), "gain")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


@cache
def small_graph() -> bytes:
    return bytes(small_model().SerializeToString())


def manifest_of(graph: bytes) -> Manifest:
    return Manifest(
        sightline_version="0.1.0",
        method="patchcore",
        graph_sha256=hashlib.sha256(graph).hexdigest(),
        input=InputSpec(dtype="uint8", bit_depth=8),
        working_size=(256, 320),
        tile=None,
        labels=("anomaly", "傷\u3000表面"),
        thresholds=Thresholds(reject=3.0, review=2.5, rule="conformal", promise="1 % overkill", max_overkill=0.01),
        calibration=Calibration(good_scores=(0.10000000149011612, 0.5, 0.5, 2.0), source="leave one image out"),
        provenance=Provenance(
            dataset="tiles",
            images=4,
            dataset_sha256="0" * 64,
            seed=7,
            config={"kept": 0.1, "neighbours": 3, "whiten": False, "limit": None, "layer": "8+16"},
            backbone="shipped",
            backbone_sha256="a" * 64,
        ),
    )


def small_manifest() -> Manifest:
    return manifest_of(small_graph())


def packed() -> bytes:
    return bundle.packed(small_graph(), small_manifest())


def zipped(*entries: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that occur twice: it is what one case is about
        for name, content in entries:
            archive.writestr(name, content)
    return buffer.getvalue()


def refusal(path: Path) -> str:
    """The message with which the file is refused, seen to be one line that begins with the path and ends."""
    with pytest.raises(BundleError) as caught:
        bundle.load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert message.endswith(".")
    assert message.isprintable()
    assert len(message) < 700
    return message


@pytest.fixture
def sight(tmp_path: Path) -> Path:
    path = tmp_path / "tile.sight"
    bundle.save(path, small_graph(), small_manifest())
    return path


# --- what is saved is what is loaded


def test_what_is_saved_is_what_is_loaded(sight: Path) -> None:
    loaded = bundle.load(str(sight))
    assert loaded.manifest == small_manifest()
    assert loaded.graph == small_graph()
    assert loaded.path == sight
    assert loaded.model_id == hashlib.sha256(digest(small_manifest()).encode()).hexdigest()[:12]


def test_the_same_content_gives_the_same_bytes(tmp_path: Path, sight: Path) -> None:
    reordered = replace(small_manifest().provenance, config=dict(reversed(small_manifest().provenance.config.items())))
    bundle.save(tmp_path / "again.sight", small_graph(), replace(small_manifest(), provenance=reordered))
    assert (tmp_path / "again.sight").read_bytes() == sight.read_bytes()


def test_the_file_is_a_plain_zip_of_two_stored_entries(sight: Path) -> None:
    with zipfile.ZipFile(sight) as archive:
        entries = archive.infolist()
        assert archive.testzip() is None
    assert [entry.filename for entry in entries] == ["manifest.json", "model.onnx"]
    assert {entry.compress_type for entry in entries} == {zipfile.ZIP_STORED}
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.external_attr >> 16 for entry in entries} == {stat.S_IFREG | 0o644}


def test_a_sixteen_bit_model_is_loaded(tmp_path: Path) -> None:
    model = small_model()
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT16
    graph = model.SerializeToString()
    manifest = replace(manifest_of(graph), input=InputSpec(dtype="uint16", bit_depth=12), tile=512)
    bundle.save(tmp_path / "deep.sight", graph, manifest)
    assert bundle.load(tmp_path / "deep.sight").manifest == manifest


def with_window(window: bytes) -> Manifest:
    provenance = small_manifest().provenance
    named = {**provenance.config, bundle.WINDOW_HASH: hashlib.sha256(window).hexdigest()}
    return replace(small_manifest(), provenance=replace(provenance, config=named))


def test_a_window_is_kept_as_a_third_entry_and_held_to_its_hash(tmp_path: Path) -> None:
    path = tmp_path / "extendable.sight"
    bundle.save(path, small_graph(), with_window(b"what is remembered"), b"what is remembered")
    assert bundle.load(path).window == b"what is remembered"
    entries = [("manifest.json", to_json(with_window(b"what is remembered"))), ("model.onnx", small_graph())]
    path.write_bytes(zipped(*entries))
    assert "has no window.bin, which its manifest names" in refusal(path)
    path.write_bytes(zipped(*entries, ("window.bin", b"what was altered")))
    assert "window.bin is not the window of images the manifest names" in refusal(path)


def test_a_window_that_the_manifest_does_not_name_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="not the window"):
        bundle.save(tmp_path / "x.sight", small_graph(), small_manifest(), b"what is remembered")


def test_a_changed_threshold_changes_the_model_id_and_keeps_the_graph(sight: Path) -> None:
    before = bundle.load(sight)
    thresholds = replace(before.manifest.thresholds, reject=4.0)
    bundle.save(sight, before.graph, replace(before.manifest, thresholds=thresholds))
    after = bundle.load(sight)
    assert after.manifest.thresholds.reject == 4.0
    assert after.graph == before.graph
    assert after.model_id != before.model_id


def test_the_extracted_graph_runs_bare(sight: Path, tmp_path: Path) -> None:
    bundle.extract_graph(bundle.load(sight), tmp_path / "bare.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "bare.onnx", providers=["CPUExecutionProvider"])
    image = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    score, values = session.run(["score", "map"], {"image": image})
    assert score == 34.0
    assert np.array_equal(values, [[4, 10, 16], [22, 28, 34]])


# --- files that are no .sight file, or no longer one


def entry_info(name: str, mode: int = stat.S_IFREG | 0o644, kind: int = zipfile.ZIP_STORED) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.create_system, entry.external_attr, entry.compress_type = 3, mode << 16, kind
    return entry


def directory_patched(offset: int, value: bytes, entry: int = 1) -> bytes:
    """A good file with one field of the ZIP's list of entries changed, for the graph unless told otherwise."""
    data = bytearray(packed())
    at = -1
    for _ in range(entry + 1):
        at = data.index(b"PK\x01\x02", at + 1)
    data[at + offset : at + offset + len(value)] = value
    return bytes(data)


def with_extra(name: str | zipfile.ZipInfo) -> bytes:
    return zipped(("manifest.json", to_json(small_manifest())), ("model.onnx", small_graph()), (name, b"x"))


def with_zip64_locator() -> bytes:
    data = packed()
    return data[:-22] + b"PK\x06\x07" + bytes(16) + data[-22:]


CONTAINERS: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "is empty"),
    "one-byte": (lambda: b"P", "looks like no kind of file known here"),
    "pickle": (lambda: b"\x80\x04\x95abc", "a Python pickle"),
    "bare-onnx": (small_graph, "a bare ONNX graph"),
    "png": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(50), "a PNG picture"),
    "web-page": (lambda: b"<!doctype html>", "a web page"),
    "lfs-pointer": (lambda: b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    "empty-zip": (zipped, "an empty ZIP"),
    "prefixed": (lambda: b"#!/bin/sh\n" + packed(), "is not a .sight file"),
    "cut-off": (lambda: packed()[:-100], "is cut off"),
    "cut-to-a-start": (lambda: packed()[:6], "is cut off"),
    "appended": (lambda: packed() + b"x", "something after its end"),
    "zip64-locator": (with_zip64_locator, "too many entries"),
    "many-entries": (lambda: zipped(*((f"{n:050}", b"") for n in range(1000))), "too many entries"),
    "no-manifest": (lambda: zipped(("model.onnx", small_graph())), "has no manifest.json"),
    "no-graph": (lambda: zipped(("manifest.json", to_json(small_manifest()))), "has no model.onnx"),
    "extra-entry": (lambda: with_extra("notes.txt"), "'notes.txt', which does not belong"),
    "torch-file": (lambda: zipped(("archive/data.pkl", b"\x80\x02.")), "has no manifest.json"),
    "unnamed-window": (lambda: with_extra("window.bin"), "window.bin is not the window of images the manifest names"),
    "duplicate": (lambda: with_extra("model.onnx"), "'model.onnx' twice"),
    "traversal": (lambda: with_extra("../../evil"), "leads out of the file"),
    "back-slash-traversal": (lambda: with_extra("..\\evil"), "leads out of the file"),
    "absolute": (lambda: with_extra("/etc/evil"), "leads out of the file"),
    "drive": (lambda: with_extra("C:evil"), "leads out of the file"),
    "zero-byte-in-name": (lambda: with_extra("zero").replace(b"zero", b"a\0.b"), "leads out of the file"),
    "terminal-codes-in-name": (lambda: with_extra("\x1b[2Jx\ny"), r"'\x1b[2Jx\ny'"),
    "folder": (lambda: with_extra("folder/"), "a link, a folder or a device"),
    "link": (lambda: with_extra(entry_info("link", stat.S_IFLNK | 0o777)), "a link, a folder or a device"),
    "compressed": (
        lambda: zipped((entry_info("manifest.json", kind=zipfile.ZIP_DEFLATED), bytes(10_000_000))),
        "which is compressed",
    ),
    "encrypted": (lambda: directory_patched(8, b"\x01"), "which is encrypted"),
    "unlike-sizes": (lambda: directory_patched(24, b"\x01\x00\x00\x00"), "declared size is not its size"),
    "declared-too-large": (
        lambda: directory_patched(20, (65 << 20).to_bytes(4, "little") * 2, entry=0),
        "'manifest.json', which is too large",
    ),
    "declared-past-the-end": (lambda: directory_patched(20, (1 << 25).to_bytes(4, "little") * 2), "cannot be read"),
    "wrong-checksum": (lambda: directory_patched(16, b"\0\0\0\0"), "cannot be read"),
    "outside-offset": (lambda: directory_patched(42, b"\xff\xff\xff\x7f"), "cannot be read"),
    "newer-zip": (lambda: directory_patched(6, b"\xff"), "cannot be read"),
    "renamed-in-the-list": (lambda: directory_patched(46, b"w"), "has no model.onnx"),
}


@pytest.mark.parametrize(("content", "expected"), CONTAINERS.values(), ids=CONTAINERS)
def test_a_wrong_container_is_refused(tmp_path: Path, content: Callable[[], bytes], expected: str) -> None:
    path = tmp_path / "wrong.sight"
    path.write_bytes(content())
    assert expected in refusal(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert "no such file; give the path" in refusal(tmp_path / "none.sight")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert "is a folder" in refusal(tmp_path)


def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.sight")
    assert "not a plain file" in refusal(tmp_path / "pipe.sight")


def test_a_zero_byte_in_the_path_is_refused() -> None:
    with pytest.raises(BundleError, match="give the path"):
        bundle.load("a\0b")


def test_a_file_that_may_not_be_read_is_told(sight: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", deny)
    assert "no permission to read it; change its permissions" in refusal(sight)


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "huge.sight"
    path.touch()
    os.truncate(path, bundle.MAX_FILE_BYTES + 1)  # a hole: it takes no space
    assert "over the limit" in refusal(path)


def test_the_manifest_and_the_graph_belong_together(tmp_path: Path) -> None:
    path = tmp_path / "mixed.sight"
    path.write_bytes(zipped(("manifest.json", to_json(manifest_of(b"another"))), ("model.onnx", small_graph())))
    assert "model.onnx is not the graph the manifest names (SHA-256 differs)" in refusal(path)


def test_an_edited_manifest_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "edited.sight"
    text = to_json(small_manifest()).replace(b'"reject":3.0', b'"reject":9.0')
    path.write_bytes(zipped(("manifest.json", text), ("model.onnx", small_graph())))
    assert "'digest' does not fit the rest, so the manifest was altered" in refusal(path)


def test_a_newer_file_with_more_entries_says_upgrade(tmp_path: Path) -> None:
    path = tmp_path / "new.sight"
    path.write_bytes(zipped(("manifest.json", b'{"format_version": 5}'), ("masks.onnx", b"")))
    assert refusal(path).endswith("upgrade Sightline.")


def test_a_wrong_graph_is_not_saved(tmp_path: Path) -> None:
    path = tmp_path / "wrong.sight"
    with pytest.raises(BundleError, match=r"wrong\.sight: model\.onnx is not a valid ONNX graph"):
        bundle.save(path, b"hello, world", manifest_of(b"hello, world"))
    with pytest.raises(BundleError, match=r"wrong\.sight: model\.onnx is not the graph the manifest names"):
        bundle.save(path, small_graph(), manifest_of(b"another"))
    assert list(tmp_path.iterdir()) == []


# --- random damage


@given(data=st.data())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_flipped_bytes_never_load_as_something_else(tmp_path: Path, data: st.DataObject) -> None:
    damaged = bytearray(packed())
    places = st.integers(0, len(damaged) - 1)
    for at, flip in data.draw(st.lists(st.tuples(places, st.integers(1, 255)), min_size=1, max_size=3)):
        damaged[at] ^= flip
    path = tmp_path / "damaged.sight"
    path.write_bytes(damaged)
    assert_refused_or_equal(path)


def test_no_flip_in_the_zip_structure_loads_as_something_else(tmp_path: Path) -> None:
    good = packed()
    path = tmp_path / "damaged.sight"
    listing = good.index(b"PK\x01\x02")
    second = good.index(b"PK\x03\x04", 1)
    for at in [*range(43), *range(second, second + 40), *range(listing, len(good))]:
        for flip in (0x01, 0xFF):
            path.write_bytes(good[:at] + bytes([good[at] ^ flip]) + good[at + 1 :])
            assert_refused_or_equal(path)


def assert_refused_or_equal(path: Path) -> None:
    try:
        loaded = bundle.load(path)
    except BundleError:
        return
    assert (loaded.manifest, loaded.graph) == (small_manifest(), small_graph())


# --- writing


def assert_untouched(path: Path, content: bytes) -> None:
    assert path.read_bytes() == content
    assert [other.name for other in path.parent.iterdir()] == [path.name]


def saved_with(path: Path, expected: str) -> None:
    with pytest.raises(StoreError) as caught:
        bundle.save(path, small_graph(), replace(small_manifest(), method="padim"))
    assert str(caught.value).startswith(f"{path}: cannot be written (")
    assert expected in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        pytest.param(errno.ENOSPC, "The disk is full: free some space", id="full"),
        pytest.param(errno.EDQUOT, "The disk quota is used up", id="quota"),
        pytest.param(errno.EROFS, "The disk is read-only: write to another disk", id="read-only"),
        pytest.param(errno.EIO, "Input/output error). Check the disk and the folder", id="broken"),
    ],
)
def test_a_failing_disk_leaves_the_old_file(
    sight: Path, monkeypatch: pytest.MonkeyPatch, code: int, expected: str
) -> None:
    before = sight.read_bytes()

    def fail(_: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    saved_with(sight, expected)
    assert_untouched(sight, before)


def test_a_write_that_really_fails_half_way_leaves_nothing(sight: Path, tmp_path: Path) -> None:
    # in a process of its own: the limit holds for every file, the log of this test run included
    program = """
import resource, sys
from sightline import bundle
from sightline.errors import StoreError
loaded = bundle.load(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (200, resource.RLIM_INFINITY))  # writes past byte 200 of a file fail
try:
    bundle.save(sys.argv[2], loaded.graph, loaded.manifest)
except StoreError as error:
    print(error)
"""
    folder = tmp_path / "target"
    folder.mkdir()
    command = [sys.executable, "-c", program, str(sight), str(folder / "new.sight")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "File too large" in done.stdout
    assert list(folder.iterdir()) == []


def test_ctrl_c_leaves_the_old_file(sight: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = sight.read_bytes()

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        bundle.save(sight, small_graph(), replace(small_manifest(), method="padim"))
    assert_untouched(sight, before)


def test_a_kill_before_the_renaming_leaves_the_old_file(sight: Path) -> None:
    before = sight.read_bytes()
    program = """
import os, signal, sys
from dataclasses import replace
from sightline import bundle
loaded = bundle.load(sys.argv[1])
os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
bundle.save(sys.argv[1], loaded.graph, replace(loaded.manifest, method="padim"))
"""
    ended = subprocess.run([sys.executable, "-c", program, str(sight)], check=False, timeout=60)
    assert ended.returncode == -signal.SIGKILL
    assert sight.read_bytes() == before
    partial = [other.name for other in sight.parent.iterdir() if other != sight]
    assert len(partial) == 1  # what was being written when the process was killed
    assert partial[0].startswith(".")
    assert partial[0].endswith(".partial")


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    saved_with(tmp_path / "none" / "tile.sight", "Its folder does not exist: make it first")


def test_a_file_in_the_place_of_the_folder_is_told(sight: Path) -> None:
    saved_with(sight / "tile.sight", "A part of the path is a file: correct it")


def test_a_folder_in_the_place_of_the_file_is_told(tmp_path: Path) -> None:
    saved_with(tmp_path, "A folder or a device has this name: choose another")


def test_a_device_is_not_replaced() -> None:
    saved_with(Path(os.devnull), "A folder or a device has this name")
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to a read-only folder")
def test_a_folder_without_permission_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    saved_with(tmp_path / "tile.sight", "No permission to write there: choose another folder")


def test_a_failed_extraction_leaves_the_old_file(sight: Path, tmp_path: Path) -> None:
    loaded = bundle.load(sight)
    with pytest.raises(StoreError, match="Its folder does not exist: make it first"):
        bundle.extract_graph(loaded, tmp_path / "none" / "bare.onnx")
    assert list(tmp_path.iterdir()) == [sight]


def test_a_network_disk_that_cannot_sync_folders_is_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sync = os.fsync

    def sync_files_only(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        sync(handle)

    monkeypatch.setattr(os, "fsync", sync_files_only)
    bundle.save(tmp_path / "tile.sight", small_graph(), small_manifest())
    assert bundle.load(tmp_path / "tile.sight").graph == small_graph()
