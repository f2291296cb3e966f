"""What holds for the project as a whole: the wheel, the start-up time, the pinned versions, the documents."""

import importlib.metadata
import importlib.util
import re
import statistics
import subprocess
import sys
import zipfile
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import sightline

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "sightline"
DATA_SUFFIXES = {".html", ".mako", ".onnx", ".typed"}

MAX_WHEEL_BYTES = 10_000_000
MAX_RUNTIME_BYTES = 350_000_000
MAX_IMPORT_S = 0.3
TIME_THE_IMPORT = """
import sys, time
start = time.perf_counter()
import sightline
print(time.perf_counter() - start, *sys.modules)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, freshly built."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_is_small(wheel: Path) -> None:
    assert wheel.stat().st_size < MAX_WHEEL_BYTES


def test_the_wheel_holds_the_package_with_its_data_and_nothing_else(wheel: Path) -> None:
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    data = {str(path.relative_to(ROOT / "src")) for path in PACKAGE.rglob("*") if path.suffix in DATA_SUFFIXES}
    assert "sightline/py.typed" in data
    assert data <= inside
    assert {name.split("/")[0] for name in inside} == {"sightline"}
    assert {Path(name).suffix for name in inside} <= DATA_SUFFIXES | {".py", ".json", ".md", ".css", ".js", ".svg"}


def test_importing_is_quick_and_loads_no_runtime() -> None:
    runs = [
        subprocess.run([sys.executable, "-c", TIME_THE_IMPORT], capture_output=True, text=True, check=True).stdout
        for _ in range(5)
    ]
    assert statistics.median(float(run.split()[0]) for run in runs) < MAX_IMPORT_S
    loaded = {module.split(".")[0] for module in runs[0].split()[1:]}
    assert loaded.isdisjoint({"torch", "onnxruntime", "onnx", "cv2", "numpy"})


def test_the_readme_begins_with_the_two_commands() -> None:
    beginning = "\n".join((ROOT / "README.md").read_text("utf-8").splitlines()[:15])
    block = re.search(r"^```.*?\n(.*?)^```", beginning, re.DOTALL | re.MULTILINE)
    assert block is not None
    assert [line.split("#")[0].strip() for line in block[1].splitlines()] == ["make demo", "make test"]


def test_the_version_is_the_same_everywhere() -> None:
    assert importlib.metadata.version("sightline") == sightline.__version__
    assert f"\n## [{sightline.__version__}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def closure(name: str, extras: frozenset[str] = frozenset()) -> dict[str, str]:
    """What a package brings with it, transitively: canonical name -> installed version; itself left out."""
    found: dict[str, str] = {}
    waiting = [(name, extras)]
    while waiting:
        package, wanted = waiting.pop()
        for text in importlib.metadata.requires(package) or []:
            requirement = Requirement(text)
            marker, key = requirement.marker, canonicalize_name(requirement.name)
            needed = marker is None or any(marker.evaluate({"extra": extra}) for extra in wanted | {""})
            if needed and key not in found:
                found[key] = importlib.metadata.version(requirement.name)
                waiting.append((requirement.name, frozenset(requirement.extras)))
    return found


def pinned() -> dict[str, str]:
    lines = [line.split("#")[0].strip() for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines()]
    pins = (line.split("==") for line in lines if line)
    return {canonicalize_name(name): version for name, version in pins}


@pytest.mark.parametrize("extra", ["", "dev"])
def test_everything_installed_is_pinned_and_at_that_version(extra: str) -> None:
    pins, found = pinned(), closure("sightline", frozenset({extra}))
    assert {name: pins.get(name) for name in found} == found


def test_the_light_runtime_takes_less_than_350_mb() -> None:
    files = [file for name in closure("sightline") for file in importlib.metadata.files(name) or []]
    assert sum(Path(str(file.locate())).stat().st_size for file in files) < MAX_RUNTIME_BYTES


def test_each_runtime_dependency_is_explained() -> None:
    explained = (ROOT / "docs" / "dependencies.md").read_text("utf-8").lower()
    assert [name for name in closure("sightline") if f"| {name} " not in explained] == []


@pytest.fixture(scope="module")
def size() -> ModuleType:
    """The program `scripts/size`, which has no suffix."""
    loader = SourceFileLoader("size", str(ROOT / "scripts" / "size"))
    spec = importlib.util.spec_from_loader("size", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["size"] = module  # its dataclass looks itself up there
    loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("lines", "refused"),
    [pytest.param(30, [], id="unremarkable"), (31, [False]), pytest.param(50, [False], id="the most"), (51, [True])],
)
def test_a_function_of_more_than_50_lines_is_refused(size: ModuleType, lines: int, refused: list[bool]) -> None:
    source = 'def f():\n    """Its\n    docstring."""\n' + "    x = 1\n" * (lines - 1)
    assert [length.refused for length in size.long_ones("f.py", source, is_test=False)] == refused


@pytest.mark.parametrize(("lines", "refused"), [(250, []), (500, [False]), (501, [True])])
def test_a_file_of_more_than_500_lines_is_refused(size: ModuleType, lines: int, refused: list[bool]) -> None:
    assert [length.refused for length in size.long_ones("f.py", "x = 1\n" * lines, is_test=False)] == refused


def test_a_test_file_may_have_700_lines(size: ModuleType) -> None:
    assert [n.refused for n in size.long_ones("t.py", "x = 1\n" * 700, is_test=True)] == [False]
    assert [n.refused for n in size.long_ones("t.py", "x = 1\n" * 701, is_test=True)] == [True]
