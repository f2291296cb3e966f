"""Every method, and PatchCore as published with every teacher, on every data set found, with three seeds.

    python benchmarks/accuracy.py [--data FOLDER] [--datasets NAME ...] [--methods NAME ...] [--seeds 0 1 2] [--resume]

FOLDER holds data sets in MVTec AD layout, also one folder further down. Our methods run with their default settings,
through the calls that the commands make; the peers (benchmarks/peer.py) at 256 x 256 with the published recipe. The
splits are those of the folders. Each test split is judged once per run, after learning, and no choice is made on it:
not of a setting, not of a seed, not of a method.

Each run is a process of its own: its peak memory is its own, and its latency is measured at its end, when nothing else
runs. Its row is written at once. --resume goes on where an interrupted run stopped: rows of other data sets and methods
stay; a row is measured again if it has no figures, or if its data set or the code behind it has changed since.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

from collection import Content, Found, content, find_datasets
from runs import DONE, Run, append_row, code, decoded, execute, key_of, read_rows, still_valid, write_rows
from shared import shared_folder
from sightline.errors import DatasetError
from sightline.training import METHODS
from summary import PEER, lead_over_peers, summarise
from tables import RESULTS, stem, write_table

TEACHERS = ("mobilenetv2", "resnet18", "resnet50")
PEERS = tuple(f"{PEER}{name}" for name in TEACHERS)
_TITLE = "Accuracy at default settings"


def planned(found: Sequence[Found], options: argparse.Namespace, teachers: dict[str, str]) -> Iterator[Run]:
    """Every run asked for: data set by data set, the quick ones first."""
    for one in found:
        for method in options.methods:
            if method in METHODS or (options.peers and method in teachers):
                for seed in options.seeds:
                    yield Run(
                        name=one.name,
                        root=str(one.dataset.root.resolve()),
                        method=method,
                        seed=seed,
                        teacher=teachers.get(method),
                        coreset=options.peer_coreset,
                    )


def exported(methods: Sequence[str], shared: Path | None, folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Peer -> its network as an ONNX file, made in a process of its own, which loads torch; and peer -> why not."""
    paths, reasons = {}, {}
    for method in methods:
        name = method.removeprefix(PEER)
        command = [sys.executable, str(Path(__file__).with_name("teachers.py")), name, "--to", str(folder)]
        command += ["--shared", str(shared)] if shared else []
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        paths[method] = str(folder / f"{name}.onnx")
        if done.returncode:
            reasons[method] = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
    return paths, reasons


def measure_all(
    runs: Sequence[Run],
    contents: dict[str, Content],
    impossible: dict[str, str],
    table: Path,
    options: argparse.Namespace,
) -> None:
    """Make the runs that the table does not hold yet, and write each down as it comes.

    Args:
        impossible: method -> why it cannot run here.
    """
    marks = {run.key: (contents[run.name].digest, code(run)) for run in runs}
    kept = still_valid(read_rows(table), marks) if options.resume else []
    write_rows(table, kept)
    have = {key_of(row) for row in kept}
    waiting = [run for run in runs if run.key not in have]
    with tqdm(waiting, unit="run", desc="runs", dynamic_ncols=True) as bar:
        for run in bar:
            bar.set_postfix_str(f"{run.name} {run.method} seed {run.seed}")
            reason = impossible.get(run.method)
            cells = {"outcome": f"not run: {reason}"} if reason else execute(run, options.hours)
            digest, version = marks[run.key]
            name, method, seed, setting = run.key
            said = {"data set": name, "method": method, "seed": seed, "setting": setting}
            append_row(table, {**said, **cells, "content": digest, "code": version})
            if cells["outcome"] != DONE:
                bar.write(f"{name} {method} seed {seed}: {cells['outcome']}", file=sys.stderr)


def write_pages(table: Path, contents: dict[str, Content], out: Path) -> Path:
    """The rows as a page, and their summary as page and CSV; return the summary's page."""
    rows = sorted(read_rows(table), key=key_of)
    command = " ".join(["python benchmarks/accuracy.py", *sys.argv[1:]])
    notes = [
        "Escapes and overkill are counted at the model's own threshold, set for 1 % overkill on good images alone. "
        "Latency is that of the graph, median, with every core. Peak memory is that of the run's own process.",
        *(
            f"{name}: {held.leaked} test pictures are also among the training pictures, byte for byte."
            for name, held in contents.items()
            if held.leaked
        ),
    ]
    numbers = [{key: _number(value) for key, value in row.items()} for row in rows]
    write_table(out, "accuracy", numbers, title=_TITLE, command=command, notes=notes)
    summary = summarise(rows)
    return write_table(
        out,
        "accuracy-summary",
        summary,
        title=f"{_TITLE}: mean over seeds, and sample deviation (sd)",
        command=command,
        notes=["Against the best peer:", "", *lead_over_peers(summary)],
    )


def _number(text: str) -> str | int | float | None:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text or None


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of data sets  [default: ../shared/data]")
    parser.add_argument("--datasets", nargs="+", help="only these, by name  [default: all that are found]")
    parser.add_argument("--methods", nargs="+", choices=(*METHODS, *PEERS), default=(*METHODS, *PEERS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True, help="needs torch and --shared")
    parser.add_argument("--peer-coreset", type=float, default=0.01, help="share of the patches a peer keeps")
    parser.add_argument("--shared", type=Path, help="folder with teachers/  [default: ../shared]")
    parser.add_argument("--hours", type=float, default=6, help="that one run may take  [default: 6]")
    parser.add_argument("--resume", action="store_true", help="keep the rows that still hold")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--one", help=argparse.SUPPRESS)  # a run, as JSON: the process that measures it
    return parser.parse_args()


def _measure_one(text: str) -> int:
    from measurement import measure  # only here: the process that starts the runs stays light

    print(json.dumps(measure(decoded(text))))
    return 0


def main() -> int:
    options = _options()
    if options.one:
        return _measure_one(options.one)
    try:
        found = find_datasets(options.data or shared_folder(options.shared) / "data")
    except DatasetError as error:
        raise SystemExit(str(error)) from error
    unknown = set(options.datasets or ()) - {one.name for one in found}
    if unknown:
        raise SystemExit(f"not found: {', '.join(sorted(unknown))}. There are: {', '.join(one.name for one in found)}.")
    found = [one for one in found if not options.datasets or one.name in options.datasets]
    contents = {one.name: content(one.dataset) for one in found}
    table = options.out / f"{stem('accuracy')}.csv"
    with tempfile.TemporaryDirectory() as folder:
        peers = [method for method in options.methods if method in PEERS] if options.peers else []
        teachers, impossible = exported(peers, options.shared, Path(folder))
        runs = list(planned(found, options, teachers))
        try:
            measure_all(runs, contents, impossible, table, options)
        except (KeyboardInterrupt, ValueError) as error:
            raise SystemExit(str(error) or f"interrupted. Go on with --resume; {table} holds what is done.") from error
    print(write_pages(table, contents, options.out).read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
