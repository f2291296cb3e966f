"""`sightline bench`: how fast a model judges, and what it needs."""

import json
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
import cv2
import numpy as np

from sightline.cli.options import PLACE, Size, json_option, megapixels_option, model_argument, threads_option
from sightline.cli.products import product_option
from sightline.errors import FrameError
from sightline.imaging.decode import read_frame
from sightline.imaging.depth import depth_beside
from sightline.inspector import Inspector, load
from sightline.records import FloatArray, Timings

Figures = dict[str, float | int | str]
_MADE_UP_SIZE = 480, 640  # height, width, px


@click.command("bench")
@model_argument
@click.option("--image", type=PLACE, help="Picture to judge.  [default: a made-up one]")
@click.option("--size", type=Size(), metavar="WxH", help="Of the made-up picture, px.  [default: 640x480]")
@click.option(
    "--runs",
    type=click.IntRange(10, 100_000),
    metavar="NUMBER",
    default=100,
    show_default=True,
    help="Times that the picture is judged for each figure, at least 10.",
)
@click.option(
    "--streams",
    type=click.IntRange(1, 256),
    metavar="NUMBER",
    default=2,
    show_default=True,
    help="Pictures judged at once for the throughput.",
)
@product_option
@threads_option
@megapixels_option
@json_option
def bench_command(
    model: Path,
    image: Path | None,
    size: tuple[int, int] | None,
    runs: int,
    streams: int,
    product: str | None,
    threads: int | None,
    max_megapixels: float,
    as_json: bool,
) -> None:
    """Measure MODEL on this machine: latency of decoding, graph and all, throughput, memory and file size.

    Latency is that of one picture after another. Throughput is measured with --streams at once. Other work on the
    machine shows in p99: compare medians, and ratios within one run.
    """
    if image and size:
        raise click.UsageError("--size is for the made-up picture; give --image or --size.")
    height, width = size or _MADE_UP_SIZE
    if image is None and height * width > max_megapixels * 1e6:
        raise click.UsageError(f"a picture of {width} x {height} px is over the limit of --max-megapixels.")
    inspector = load(model, threads=threads, max_megapixels=max_megapixels)
    inspector.limits(product)  # before anything is made up or read
    picture = _read(image, max_megapixels) if image else _made_up(height, width, inspector.manifest.input.bit_depth)
    depth = _depth_for(image, height, width) if inspector.manifest.input.depth else None
    figures = measure(inspector, picture, runs, streams, product, depth)
    figures["file_mb"] = round(model.stat().st_size / 1e6, 3)
    if as_json:
        click.echo(json.dumps({"model": str(model), "model_id": inspector.model_id, **figures}, indent=2))
        return
    for part in ("decode", "graph", "total"):
        click.echo(f"{part:10} p50 {figures[f'{part}_ms_p50']:9.2f} ms   p99 {figures[f'{part}_ms_p99']:9.2f} ms")
    click.echo(f"throughput     {figures['pictures_per_second']:9.1f} pictures/s, {streams} at once")
    click.echo(f"memory         {figures['peak_memory_mb']:9.1f} MB at the peak, of this process")
    click.echo(f"file           {figures['file_mb']:9.2f} MB")


def measure(
    inspector: Inspector,
    picture: bytes,
    runs: int,
    streams: int,
    product: str | None = None,
    depth: bytes | None = None,
) -> Figures:
    """Latency in ms (p50, p99), throughput and peak resident memory in MB of judging one encoded picture again."""

    def judge(_: int) -> Timings | None:
        return inspector.inspect(picture, depth=depth, product=product).timings

    for run in range(3):
        judge(run)
    timings = [judge(run) for run in range(runs)]
    figures: Figures = {"runs": runs, "streams": streams}
    for part in ("decode", "graph", "total"):
        values: FloatArray = np.array([getattr(timing, f"{part}_ms") for timing in timings], np.float32)
        figures[f"{part}_ms_p50"] = round(float(np.median(values)), 3)
        figures[f"{part}_ms_p99"] = round(float(np.quantile(values, 0.99)), 3)
    started = time.perf_counter()
    with ThreadPoolExecutor(streams) as pool:
        list(pool.map(judge, range(runs)))
    figures["pictures_per_second"] = round(runs / (time.perf_counter() - started), 2)
    unit = 1 if sys.platform == "darwin" else 1024
    figures["peak_memory_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6, 1)
    return figures


def _read(image: Path, max_megapixels: float) -> bytes:
    """The file of a picture, which can be decoded."""
    read_frame(image, max_megapixels=max_megapixels)
    return image.read_bytes()


def _depth_for(image: Path | None, height: int, width: int) -> bytes:
    """The depth map beside a picture, or a made-up one of the made-up picture's size."""
    if image is None:
        return _made_up(height, width, 16)
    beside = depth_beside(image)
    if beside is None:
        raise FrameError(f"{image}: has no depth map, which this model needs. Put it beside the picture.")
    return beside.read_bytes()


def _made_up(height: int, width: int, bit_depth: int) -> bytes:
    """A noisy grey picture as PNG."""
    dtype = np.uint8 if bit_depth == 8 else np.uint16
    noise = np.random.default_rng(0).integers(0, 2**bit_depth, (height, width), dtype)
    encoded, data = cv2.imencode(".png", noise)
    assert encoded, "PNG takes both depths"
    return data.tobytes()
