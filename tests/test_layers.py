"""Imports point down, and what must not occur in the source does not: read with `ast`, nothing is imported."""

import ast
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "sightline"

ORDER = [  # a module imports from earlier entries, or from its own folder
    *("errors", "supervision", "records", "files", "imaging", "datasets", "synthesis", "evaluation", "models"),
    *(
        "name_rules",
        "segment_rule",
        "manifest",
        "bundle",
        "products",
        "naming",
        "precision",
        "boxes",
        "regions",
        "segments",
        "explaining",
    ),
    *("resolution", "inspector", "training", "supervised", "synthetic_judging", "segmenting", "locating", "hybrid"),
    *("joint_training", "extending", "teaching"),
    *("export", "search", "devices", "line", "store", "feedback", "service", "console", "cli"),
]
LIGHT = {"numpy", "cv2", "onnxruntime", "onnx", "google", "click", "tqdm", "jinja2"}  # what the light runtime installs
BY_GRADIENT = ("efficientad", "fastflow", "gradient", "stfpm")
BY_LABELS = (
    *("album", "augmentation", "class_checkpoint", "class_training", "classifier", "erasure", "evidence"),
    *("imbalance", "impressions", "lesson", "named_networks"),
)
BY_BOXES = ("box_detector", "box_graph", "box_loss", "box_training", "box_views")
BY_MASKS = ("excerpts", "segment_training", "segmenter", "taps")
EXTRAS = {
    f"sightline.models.{name}": {"torch"} for name in (*BY_GRADIENT, *BY_LABELS, *BY_MASKS, *BY_BOXES, "network")
}  # by module: what only an extra installs
EXTRAS["sightline.export.torch_network"] = {"torch"}
EXTRAS |= {f"sightline.devices.{name}": {"asyncua"} for name in ("opcua_machine_vision", "opcua_plc")}
EXTRAS |= {
    "sightline.devices.modbus_plc": {"pymodbus"},
    "sightline.devices.mqtt_broker": {"paho"},
    "sightline.line.http_sink": {"urllib3"},
    "sightline.devices.sim_modbus": {"pymodbus"},
    "sightline.devices.s7_plc": {"snap7"},
}
EXTRAS |= {f"sightline.search.{name}": {"optuna"} for name in ("leaderboard", "space", "study", "trial")}
EXTRAS["sightline.line.metrics"] = {"prometheus_client"}
EXTRAS["sightline.evaluation.coco_precision"] = {"pycocotools"}
EXTRAS |= {
    "sightline.evaluation.shift_pdf": {"weasyprint"},
    "sightline.store.export": {"pyarrow"},
    "sightline.store.passwords": {"argon2"},
    "sightline.console.live": {"sqlalchemy"},
    "sightline.service.aside": {"anyio"},
    "sightline.service.listening": {"uvicorn"},
    "sightline.service.metrics": {"prometheus_client"},
    "sightline.service.notice_process": {"apprise"},
    "sightline.service.parameters": {"pydantic"},
    "sightline.service.problems": {"pydantic"},
    "sightline.service.protocols.label_studio": {"pydantic"},
}
SERVER = {  # by folder: what [server] installs
    "sightline.store": {"alembic", "fsspec", "sqlalchemy"},
    "sightline.feedback": {"sqlalchemy"},
    "sightline.service": {"fastapi", "sqlalchemy", "starlette"},
    "sightline.service.routes": {"pydantic"},
    "sightline.console": {"fastapi", "httpx", "nicegui", "pydantic", "starlette"},
}
HEAVY = {module for module, names in EXTRAS.items() if names & {"torch", "optuna"}}  # importing them loads it

UNSAFE_MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
UNSAFE_CALLS = {"eval", "exec", "yaml.load", "yaml.unsafe_load", "yaml.full_load"}
AT_IMPORT = {"print", "os.getenv", "os.environ", "np.random.seed", "numpy.random.seed", "random.seed"}
AT_IMPORT |= {"cv2.setNumThreads", "torch.manual_seed", "torch.set_num_threads", "logging.basicConfig"}
REPORTS_OFF = "os.environ.setdefault('ORT_DISABLE_TELEMETRY', '1')"  # ONNX Runtime reads it when it is imported

SUPERVISION = "sightline.supervision"  # the one place that catches anything, for threads that must go on

Rule = Callable[[str, ast.Module], Iterator[str]]


def entry_of(module: str) -> str:
    """`sightline.imaging.decode` -> `imaging`; the package itself -> the empty string."""
    return [*module.split("."), ""][1]


def imports(tree: ast.AST) -> Iterator[tuple[int, str, int]]:
    """(line, module, relative level) of each import, those inside functions and under TYPE_CHECKING too.

    `from sightline.datasets import visa` names the module `sightline.datasets.visa`, if that is one.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, 0) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            for alias in node.names:
                inner = f"{module}.{alias.name}"
                yield node.lineno, inner if _path(inner).with_suffix(".py").is_file() else module, node.level


def _path(module: str) -> Path:
    """`sightline.imaging.decode` -> its path without `.py`; for a package, the folder."""
    return PACKAGE.parent.joinpath(*module.split("."))


def runs_at_import(tree: ast.Module) -> Iterator[ast.AST]:
    """Every node that is evaluated when the module is imported: all but functions and `if TYPE_CHECKING`."""
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop(0)
        yield node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            waiting += node.decorator_list + node.args.defaults + [d for d in node.args.kw_defaults if d]
        elif isinstance(node, ast.Lambda) or (isinstance(node, ast.If) and _is_not_at_import(node.test)):
            continue
        else:
            waiting += ast.iter_child_nodes(node)


def _is_not_at_import(test: ast.expr) -> bool:
    return ast.unparse(test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING", "__name__ == '__main__'"}


def points_up(module: str, tree: ast.Module) -> Iterator[str]:
    here = entry_of(module)
    if not here:
        return  # the package's own file: `loads_something`
    if here not in ORDER:
        yield f"{module}: {here!r} has no place in the order of tests/test_layers.py"
        return
    for line, name, level in imports(tree):
        if level:
            yield f"{module}:{line}: relative import; write it from sightline on"
        elif name.split(".")[0] == "sightline" and entry_of(name):
            there = entry_of(name)
            if there not in ORDER or ORDER.index(there) > ORDER.index(here):
                yield f"{module}:{line}: {here} imports {name}, which comes later"


def imports_a_package(module: str, tree: ast.Module) -> Iterator[str]:
    for line, name, _ in imports(tree):
        if name.split(".")[0] == "sightline" and _path(name).is_dir():
            yield f"{module}:{line}: imports the package {name}; import the module that defines the thing"


def foreign(module: str, tree: ast.Module) -> Iterator[str]:
    server = {name for folder, names in SERVER.items() if module.startswith(f"{folder}.") for name in names}
    allowed = sys.stdlib_module_names | LIGHT | EXTRAS.get(module, set()) | server | {"sightline"}
    for line, name, level in imports(tree):
        if not level and name.split(".")[0] not in allowed:
            yield f"{module}:{line}: {name} is not part of the light runtime, nor of an extra that may be used here"


def loads_something(module: str, tree: ast.Module) -> Iterator[str]:
    """For `sightline/__init__.py`: importing it may load nothing but `typing`, and `os`, which Python has loaded."""
    for node in runs_at_import(tree):
        if isinstance(node, ast.Import | ast.ImportFrom) and any(
            name not in ("os", "typing") for _, name, _ in imports(node)
        ):
            yield f"{module}:{node.lineno}: imported at run time; put it inside a function"


def loads_torch(module: str, tree: ast.Module) -> Iterator[str]:
    """What is not trained by gradient imports what is only inside functions, so that it starts without torch."""
    if module in HEAVY:
        return
    for node in runs_at_import(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for line, name, _ in imports(node):
                if name in HEAVY or ".".join(name.split(".")[:-1]) in HEAVY:
                    yield f"{module}:{line}: imports {name}, and thereby torch; put it inside a function"


def unsafe(module: str, tree: ast.Module) -> Iterator[str]:
    for line, name, _ in imports(tree):
        if name.split(".")[0] in UNSAFE_MODULES:
            yield f"{module}:{line}: {name} runs whatever a file says"
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called, options = ast.unparse(node.func), {k.arg: ast.unparse(k.value) for k in node.keywords}
        if (
            called in UNSAFE_CALLS
            or (called == "torch.load" and options.get("weights_only") != "True")
            or options.get("allow_pickle", "False") != "False"
        ):
            yield f"{module}:{node.lineno}: {ast.unparse(node)} can run what a file says"


def swallows(module: str, tree: ast.Module) -> Iterator[str]:
    """Handlers for anything at all; one that cleans up and raises again is none."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.ExceptHandler):
            continue
        caught = "everything" if node.type is None else ast.unparse(node.type)
        last = node.body[-1]
        raises_again = isinstance(last, ast.Raise) and last.exc is None
        allowed = module == SUPERVISION and caught == "Exception"
        if not (raises_again or allowed) and {"everything", "Exception", "BaseException"} & set(
            caught.strip("()").split(", ")
        ):
            yield f"{module}:{node.lineno}: catches {caught}; name what can go wrong"


def acts_at_import(module: str, tree: ast.Module) -> Iterator[str]:
    own = [node for node in tree.body if module == "sightline" and ast.unparse(node) == REPORTS_OFF]
    allowed = {inner for node in own for inner in ast.walk(node)}
    for node in runs_at_import(tree):
        if isinstance(node, ast.Name | ast.Attribute) and ast.unparse(node) in AT_IMPORT and node not in allowed:
            yield f"{module}:{node.lineno}: {ast.unparse(node)} when imported"


def name_of(path: Path) -> str:
    """`.../src/sightline/imaging/decode.py` -> `sightline.imaging.decode`; programs by their path."""
    if not path.is_relative_to(PACKAGE):
        return str(path.relative_to(ROOT))
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def sources(*folders: Path) -> list[Path]:
    return [path for folder in folders for path in sorted(folder.rglob("*.py"))]


def check(rule: Rule, paths: list[Path]) -> list[str]:
    return [finding for path in paths for finding in rule(name_of(path), ast.parse(path.read_text("utf-8"), str(path)))]


@pytest.mark.parametrize("rule", [points_up, imports_a_package, foreign, loads_torch, swallows, acts_at_import])
def test_the_package_keeps(rule: Rule) -> None:
    assert check(rule, sources(PACKAGE)) == []


def test_no_file_can_run_code() -> None:
    assert check(unsafe, sources(PACKAGE, ROOT / "backbone", ROOT / "benchmarks")) == []


def test_the_packages_own_file_loads_nothing() -> None:
    assert check(loads_something, [PACKAGE / "__init__.py"]) == []


def test_every_other_package_file_is_empty() -> None:
    inner = [path for path in sources(PACKAGE) if path.name == "__init__.py" and path.parent != PACKAGE]
    assert [str(path.relative_to(ROOT)) for path in inner if path.read_text("utf-8").strip()] == []


REFUSED: list[tuple[str, Rule, str, str]] = [
    ("up", points_up, "sightline.imaging.decode", "from sightline.bundle import read"),
    ("up in a function", points_up, "sightline.imaging.decode", "def f():\n    from sightline.cli.main import main"),
    ("up in an import", points_up, "sightline.records", "import sightline.imaging.decode"),
    ("unknown target", points_up, "sightline.imaging.decode", "from sightline.utils import clamp"),
    ("unplaced module", points_up, "sightline.utils", "import math"),
    ("relative", points_up, "sightline.imaging.decode", "from .tiles import cut"),
    ("the package", imports_a_package, "sightline.cli.main", "from sightline import __version__"),
    ("an inner package", imports_a_package, "sightline.cli.main", "from sightline.imaging import anything"),
    ("an inner package, bare", imports_a_package, "sightline.cli.main", "import sightline.imaging"),
    ("a package's package", imports_a_package, "sightline.cli.main", "from sightline import imaging"),
    ("up by the root", points_up, "sightline.errors", "from sightline import errors, records"),
    ("torch outside models", foreign, "sightline.evaluation.metrics", "import torch.nn as nn"),
    ("torch in a light model", foreign, "sightline.models.padim", "def f():\n    import torch"),
    ("light code that loads torch", loads_torch, "sightline.training", "from sightline.models.stfpm import fit"),
    ("a model that loads torch", loads_torch, "sightline.models.padim", "import sightline.models.gradient"),
    ("a test's library", foreign, "sightline.imaging.decode", "def f():\n    import PIL.Image"),
    ("loads at import", loads_something, "sightline", "from sightline.inspector import load"),
    ("loads in a try", loads_something, "sightline", "try:\n    import cv2\nexcept ImportError:\n    cv2 = None"),
    ("pickle", unsafe, "sightline.bundle", "import pickle"),
    ("from joblib", unsafe, "sightline.bundle", "from joblib import load"),
    ("torch.load", unsafe, "backbone/export.py", "torch.load(path)"),
    ("torch.load, explicitly", unsafe, "backbone/export.py", "torch.load(path, weights_only=False)"),
    ("eval", unsafe, "sightline.bundle", "eval(text)"),
    ("exec", unsafe, "sightline.bundle", "def f():\n    exec(text)"),
    ("np.load", unsafe, "sightline.bundle", "np.load(path, allow_pickle=True)"),
    ("np.load by a flag", unsafe, "sightline.bundle", "np.load(path, allow_pickle=trusted)"),
    ("yaml.load", unsafe, "sightline.datasets.table", "yaml.load(text)"),
    ("bare except", swallows, "sightline.inspector", "try:\n    f()\nexcept:\n    pass"),
    ("Exception", swallows, "sightline.inspector", "try:\n    f()\nexcept Exception as error:\n    log(error)"),
    ("among others", swallows, "sightline.inspector", "try:\n    f()\nexcept (OSError, Exception):\n    pass"),
    ("BaseException", swallows, "sightline.inspector", "try:\n    f()\nexcept BaseException:\n    pass"),
    ("all in the supervision", swallows, SUPERVISION, "try:\n    f()\nexcept BaseException:\n    pass"),
    ("print", acts_at_import, "sightline.line.gate", "print('loaded')"),
    ("environment", acts_at_import, "sightline.line.gate", "HOME = os.environ['HOME']"),
    ("environment in a default", acts_at_import, "sightline.line.gate", "def f(home=os.getenv('HOME')): ..."),
    ("environment in a class", acts_at_import, "sightline.line.gate", "class A:\n    home = os.environ.get('HOME')"),
    ("seed", acts_at_import, "sightline.line.gate", "np.random.seed(0)"),
    ("threads", acts_at_import, "sightline.line.gate", "if True:\n    cv2.setNumThreads(1)"),
]
ALLOWED: list[tuple[str, Rule, str, str]] = [
    ("down", points_up, "sightline.cli.main", "from sightline.imaging.decode import decode"),
    ("same folder", points_up, "sightline.imaging.decode", "from sightline.imaging.tiles import cut"),
    ("from a module", imports_a_package, "sightline.cli.main", "from sightline.errors import OptionError"),
    ("a module", imports_a_package, "sightline.cli.main", "from sightline import errors"),
    ("torch, when asked for", loads_torch, "sightline.training", "def f():\n    from sightline.models import stfpm"),
    ("torch for torch", loads_torch, "sightline.models.stfpm", "from sightline.models.gradient import descend"),
    ("torch in models", foreign, "sightline.models.efficientad", "import torch"),
    ("the light runtime", foreign, "sightline.imaging.decode", "import cv2, json, numpy as np"),
    (
        "for the type checker",
        loads_something,
        "sightline",
        "if TYPE_CHECKING:\n    from sightline.inspector import load",
    ),
    ("when asked for", loads_something, "sightline", "def f():\n    from sightline.inspector import load"),
    ("weights only", unsafe, "backbone/export.py", "torch.load(path, weights_only=True)"),
    ("arrays only", unsafe, "sightline.bundle", "np.load(path)\nnp.load(path, allow_pickle=False)"),
    ("a method named eval", unsafe, "backbone/export.py", "model.eval()"),
    ("cleans up", swallows, "sightline.bundle", "try:\n    f()\nexcept BaseException:\n    undo()\n    raise"),
    ("Exception in the supervision", swallows, SUPERVISION, "try:\n    f()\nexcept Exception:\n    pass"),
    ("a named error", swallows, "sightline.bundle", "try:\n    f()\nexcept (OSError, ValueError):\n    pass"),
    ("in a function", acts_at_import, "sightline.cli.main", "def f():\n    print(os.environ['HOME'])"),
]


@pytest.mark.parametrize(("rule", "module", "source"), [pytest.param(*case, id=name) for name, *case in REFUSED])
def test_the_check_refuses(rule: Rule, module: str, source: str) -> None:
    assert list(rule(module, ast.parse(source)))


@pytest.mark.parametrize(("rule", "module", "source"), [pytest.param(*case, id=name) for name, *case in ALLOWED])
def test_the_check_allows(rule: Rule, module: str, source: str) -> None:
    assert list(rule(module, ast.parse(source))) == []
