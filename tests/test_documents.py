"""What the documents say is true: their code runs, their commands and links exist, the generated page is fresh."""

import ast
import dataclasses
import re
import shlex
import sys
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import click
import cv2
import numpy as np
import pytest

from sightline.cli.main import cli
from sightline.datasets.check import check
from sightline.datasets.opening import open_dataset
from sightline.manifest import Manifest
from sightline.service.alert_rules import RULE_KINDS
from sightline.service.job_kinds import KINDS
from sightline.store.webhooks import EVENTS
from sightline.training import TrainConfig, train

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "backbone" / "CARD.md", *sorted(ROOT.glob("docs/**/*.md"))]
COMMANDS = ROOT / "docs" / "commands.md"
MOST_BYTES = {"overlay.png": 200_000, "report.png": 300_000, "synthetic.png": 300_000}

FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")
MACHINE_PATH = re.compile(r"(?<![\w.:/])/(?:home|mnt|root|tmp|work|Users)(?:/|\b)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Fenced code in a page."""

    place: str  # page:line, for messages
    language: str
    runs: bool  # its fence says "run"
    text: str


def blocks(page: Path) -> Iterator[Block]:
    content = page.read_text("utf-8")
    for found in FENCE.finditer(content):
        info = found["info"].split()
        line = content.count("\n", 0, found.start()) + 1
        language = info[0] if info else ""
        yield Block(place=f"{name(page)}:{line}", language=language, runs="run" in info[1:], text=found["text"])


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def prose(page: Path) -> str:
    """A page without its fenced code."""
    return FENCE.sub("", page.read_text("utf-8"))


def anchors(page: Path) -> set[str]:
    """What GitHub calls a page's headings in links."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def write_picture(path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    pixels = cv2.circle(np.full((48, 64, 3), 60, np.uint8), (32, 24), 18, (190, 180, 170), -1)
    noisy = np.clip(pixels + rng.normal(0, 6, pixels.shape), 0, 255).astype(np.uint8)
    encoded, content = cv2.imencode(".png", noisy)
    assert encoded
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.tobytes())


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the documents' code expects: good_parts/, new/part.png and a small part.sight."""
    folder = tmp_path_factory.mktemp("shop")
    for seed in range(8):
        write_picture(folder / f"good_parts/{seed:03}.png", seed)
    write_picture(folder / "new" / "part.png", 100)
    config = TrainConfig(size=(32, 48), dimensions=8, bank=50)
    train(open_dataset(folder / "good_parts"), folder / "part.sight", config)
    return folder


@pytest.mark.parametrize("page", [page for page in PAGES if any(b.runs for b in blocks(page))], ids=name)
def test_the_code_in_a_page_runs(page: Path, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(shop)
    names: dict[str, object] = {}
    for block in blocks(page):
        if block.runs:
            exec(compile(block.text, block.place, "exec"), names)  # one after another, as a reader would


def test_all_python_in_the_documents_is_run() -> None:
    python = [block for page in PAGES for block in blocks(page) if block.language == "python"]
    assert [block.place for block in python if not block.runs] == []
    assert {block.place.split(":")[0] for block in python} >= {"README.md", "docs/file-format.md"}


def test_the_python_api_takes_five_lines() -> None:
    first = next(block for block in blocks(ROOT / "README.md") if block.language == "python")
    assert len(ast.parse(first.text).body) <= 5


@pytest.fixture(scope="module")
def document() -> ModuleType:
    """The program `scripts/document`, which has no suffix."""
    loader = SourceFileLoader("document", str(ROOT / "scripts" / "document"))
    spec = spec_from_loader("document", loader)
    assert spec is not None
    module = module_from_spec(spec)
    monkey = sys.dont_write_bytecode
    sys.dont_write_bytecode = True  # no cache beside the scripts
    try:
        loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = monkey
    return module


def test_the_page_of_commands_says_what_the_commands_say(document: ModuleType) -> None:
    assert COMMANDS.read_text("utf-8") == document.page(), "it is stale: run scripts/document"


def command_paths(command: click.Command, path: str) -> Iterator[str]:
    yield path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for below in command.list_commands(context):
            child = command.get_command(context, below)
            assert child is not None
            yield from command_paths(child, f"{path} {below}")


def test_every_command_has_its_section() -> None:
    headings = re.findall(r"^## (.*)$", COMMANDS.read_text("utf-8"), re.MULTILINE)
    assert sorted(headings) == sorted(command_paths(cli, "sightline"))


@pytest.mark.parametrize(
    ("page", "names"),
    [
        pytest.param("jobs.md", tuple(KINDS), id="jobs"),
        pytest.param("alerts.md", EVENTS, id="events"),
        pytest.param("alerts.md", tuple(RULE_KINDS), id="rules"),
    ],
)
def test_every_kind_and_event_has_its_row(page: str, names: tuple[str, ...]) -> None:
    heads = re.findall(r"^\| ([^|]+) \|", (ROOT / "docs" / page).read_text("utf-8"), re.MULTILINE)
    assert set(names) <= {name for head in heads for name in head.split(", ")}


def shell_lines() -> list[tuple[str, list[str]]]:
    shell = [block for page in PAGES for block in blocks(page) if block.language == "sh"]
    lines = [(block.place, shlex.split(line, comments=True)) for block in shell for line in block.text.splitlines()]
    return [(place, words) for place, words in lines if words]


def parse(words: list[str]) -> None:
    """Read a command line as the program would, without running it; UsageError where it would not be accepted."""
    command: click.Command | None = cli
    while isinstance(command, click.Group) and words:
        context = click.Context(command)
        if words[0] not in (names := command.list_commands(context)) and "run" in names:
            words = ["run", *words]  # as `line` and `serve` do
        command, words = command.get_command(context, words[0]), words[1:]
    if command is None:
        raise click.UsageError("there is no such command")
    command.make_context("sightline", words)


def test_every_command_line_in_the_documents_is_accepted() -> None:
    ours = [(place, words) for place, words in shell_lines() if words[0] == "sightline"]
    assert len(ours) > 5
    for place, words in ours:
        try:
            parse(words[1:])
        except click.UsageError as error:
            pytest.fail(f"{place}: {' '.join(words)}: {error.format_message()}")


def test_every_make_target_in_the_documents_exists() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    named = {words[1] for _, words in shell_lines() if words[0] == "make"}
    assert {"demo", "test"} <= named <= set(targets)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_relative_links_lead_somewhere(page: Path) -> None:
    broken = []
    for target in (found["target"] for found in LINK.finditer(prose(page))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        if not there.exists() or (anchor and anchor not in anchors(there)):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_no_path_of_some_machine_is_named(page: Path) -> None:
    assert MACHINE_PATH.findall(page.read_text("utf-8")) == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        seen.add(page)
        targets = (found["target"].partition("#")[0] for found in LINK.finditer(prose(page)))
        linked = {(page.parent / target).resolve() for target in targets if target.endswith(".md")}
        waiting += [path for path in linked if path not in seen and path.is_file()]
    assert [name(page) for page in PAGES if page not in seen] == []


@pytest.mark.parametrize("picture", MOST_BYTES)
def test_the_pictures_are_small(picture: str) -> None:
    assert (ROOT / "docs" / "images" / picture).stat().st_size < MOST_BYTES[picture]


def keys(record: type, prefix: str = "") -> Iterator[str]:
    kinds = typing.get_type_hints(record)
    for member in dataclasses.fields(record):
        kind = kinds[member.name]
        several = typing.get_args(kind)[:1] if typing.get_origin(kind) is tuple else ()  # records in a list
        found = next((one for one in (kind, *several) if dataclasses.is_dataclass(one)), None)
        if found:
            yield from keys(typing.cast(type, found), f"{prefix}{member.name}.")
        else:
            yield f"{prefix}{member.name}"


def test_every_key_of_the_manifest_is_explained_and_no_other() -> None:
    page = (ROOT / "docs" / "file-format.md").read_text("utf-8")
    explained = re.findall(r"^\| `([a-z0-9_.]+)` \|", page, re.MULTILINE)
    assert sorted(explained) == sorted([*keys(Manifest), "digest"])


@pytest.fixture(scope="module")
def messy(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Data sets that between them have everything wrong that a check looks for."""
    root = tmp_path_factory.mktemp("messy")
    mvtec, apart, folder = root / "mvtec", root / "apart", root / "folder"
    for seed in range(6):
        write_picture(mvtec / f"train/good/{seed}.png", seed)
    for place, seed in (
        ("train/good/again", 0),
        ("test/good/leak", 1),
        ("test/Scratch/contrary", 1),
        ("test/crack/0", 7),
    ):
        write_picture(mvtec / f"{place}.png", seed)
    write_picture(mvtec / "train/crack/0.png", 8)
    write_picture(mvtec / "test/scratch/0.png", 9)
    again = cv2.imread(str(mvtec / "train/good/2.png"))
    assert again is not None
    cv2.imwrite(str(mvtec / "test/good/near.png"), again + 1)  # a little brighter
    cv2.imwrite(str(mvtec / "test/good/deep.png"), np.zeros((40, 60), np.uint16))
    (mvtec / "test/good/broken.png").write_bytes(b"no picture")
    mask = mvtec / "ground_truth/scratch/0_mask.png"
    mask.parent.mkdir(parents=True)
    cv2.imwrite(str(mask), np.zeros((48, 64), np.uint8))
    for name in ("train/good/3.depth.png", "train/good/gone.depth.png"):  # 8 bits, and without a picture
        cv2.imwrite(str(mvtec / name), np.zeros((48, 64), np.uint8))
    write_picture(apart / "test/good/0.png", 0)
    write_picture(folder / "monday/0.png", 0)
    return [mvtec, apart, folder]


def test_every_finding_of_a_check_is_documented_and_no_other(messy: list[Path]) -> None:
    found = [finding for path in messy for finding in check(open_dataset(path), progress=False).findings]
    page = (ROOT / "docs" / "data.md").read_text("utf-8")
    shown = re.findall(r"^    ([A-Z]+): .*\n      cure: (.*)$", page, re.MULTILINE)
    assert sorted(set(shown)) == sorted({(finding.severity.upper(), finding.cure) for finding in found})
