"""What the student is to reproduce: the teachers' features, standardised, joined and reduced by PCA.

Each teacher's channels are standardised, scaled so that the teacher's whole block has the variance its weight
says, joined, and projected on the leading principal components. Distances between targets are then weighted
sums of the teachers' distances, which is what a nearest-neighbour detector lives on.
"""

import importlib.util
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crops import CropConfig, Image, generate

Teacher = Callable[[Tensor], dict[int, Tensor]]
STRIDES = (8, 16)


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetConfig:
    """Which teachers count how much, and how many components are kept per stride."""

    weights: dict[str, float] = field(default_factory=lambda: {"resnet50": 0.6, "resnet18": 0.2, "mobilenetv2": 0.2})
    components: dict[int, int] = field(default_factory=lambda: {8: 192, 16: 256})
    fit_crops: int = 480  # crops that the standardisation and the PCA are fitted on
    batch: int = 16


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Projection:
    """One stride's map from joined teacher channels to targets: (features - mean) @ basis."""

    mean: NDArray[np.float32]  # (C,)
    basis: NDArray[np.float32]  # (C, K), standardisation and weights included
    explained: float  # fraction of the weighted variance that the K components hold


def load_teachers(folder: Path, config: TargetConfig, device: str) -> dict[str, Teacher]:
    """Load the teachers named in the config from `folder/teachers.py`."""
    spec = importlib.util.spec_from_file_location("teachers", folder / "teachers.py")
    if spec is None or spec.loader is None:
        raise SystemExit(f"{folder}: no teachers.py here. Point --teachers at the folder that holds it.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {name: module.load(name, device) for name in config.weights}


def joined_features(teachers: dict[str, Teacher], crops: list[Image], device: str) -> dict[int, Tensor]:
    """Per stride (N, h, w, C): the teachers' channels side by side."""
    batch = torch.from_numpy(np.stack(crops)).to(device).permute(0, 3, 1, 2).float() / 255
    batch = batch.contiguous(memory_format=torch.channels_last)
    maps = [teacher(batch) for teacher in teachers.values()]
    return {s: torch.cat([m[s] for m in maps], dim=1).permute(0, 2, 3, 1) for s in STRIDES}


def fit_projections(
    teachers: dict[str, Teacher], crops: list[Image], config: TargetConfig, device: str
) -> dict[int, Projection]:
    """Standardise per channel, weight per teacher, then PCA; fitted on every position of the given crops."""
    sums: dict[int, list[Tensor]] = {s: [] for s in STRIDES}
    for batch in _batches(iter(crops), config.batch):
        for stride, features in joined_features(teachers, batch, device).items():
            sums[stride].append(features.reshape(-1, features.shape[-1])[:: 1 if stride == 16 else 4].cpu())
    widths = [teacher(torch.zeros(1, 3, 32, 32, device=device)) for teacher in teachers.values()]
    projections = {}
    for stride in STRIDES:
        samples = torch.cat(sums[stride]).double()
        mean, std = samples.mean(0), samples.std(0)
        scale = torch.cat(
            [
                torch.full((w[stride].shape[1],), (config.weights[n] / w[stride].shape[1]) ** 0.5)
                for n, w in zip(teachers, widths, strict=True)
            ]
        )
        scale = scale / (std + 1e-3 * std.median())
        weighted = (samples - mean) * scale
        values, vectors = torch.linalg.eigh(weighted.T @ weighted / len(weighted))
        keep = config.components[stride]
        basis = vectors[:, -keep:].flip(1) * scale[:, None]
        # an overall scale so that a target vector has unit mean square length per stride
        total = values.clamp(min=0).sum()
        projections[stride] = Projection(
            mean=mean.float().numpy(),
            basis=(basis / total.sqrt()).float().numpy(),
            explained=float(values[-keep:].sum() / total),
        )
    return projections


def save_projections(projections: dict[int, Projection], path: Path) -> None:
    arrays = {f"{name}_{s}": getattr(p, name) for s, p in projections.items() for name in Projection.__slots__}
    np.savez(path, **arrays)


def load_projections(path: Path) -> dict[int, Projection]:
    """What `save_projections` wrote."""
    with np.load(path, allow_pickle=False) as stored:
        return {
            s: Projection(
                mean=stored[f"mean_{s}"], basis=stored[f"basis_{s}"], explained=float(stored[f"explained_{s}"])
            )
            for s in STRIDES
        }


def build_cache(
    photographs: list[Path],
    textures: list[Path],
    teachers: dict[str, Teacher],
    crops: CropConfig,
    config: TargetConfig,
    folder: Path,
    device: str,
    projections: dict[int, Projection] | None = None,
) -> None:
    """Write crops.npy, target_8.npy and target_16.npy (float16) into `folder`, and what they were made with.

    Targets of several caches agree if they share their `projections`; None: fitted on the first crops.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if projections is None:
        head = list(_take(generate(photographs, textures, crops), config.fit_crops))
        projections = fit_projections(teachers, head, config, device)
    save_projections(projections, folder / "projections.npz")
    print(
        {s: f"{p.explained:.3f} of the variance in {p.basis.shape[1]} components" for s, p in projections.items()},
        flush=True,
    )
    side = crops.side_px
    pixels = np.lib.format.open_memmap(folder / "crops.npy", "w+", np.uint8, (crops.count, side, side, 3))
    targets = {
        s: np.lib.format.open_memmap(
            folder / f"target_{s}.npy", "w+", np.float16, (crops.count, side // s, side // s, config.components[s])
        )
        for s in STRIDES
    }
    start = 0
    for batch in _batches(generate(photographs, textures, crops), config.batch):
        stop = start + len(batch)
        pixels[start:stop] = np.stack(batch)
        for stride, features in joined_features(teachers, batch, device).items():
            p = projections[stride]
            projected = (features - torch.from_numpy(p.mean).to(device)) @ torch.from_numpy(p.basis).to(device)
            targets[stride][start:stop] = projected.cpu().numpy().astype(np.float16)
        start = stop
        if start % (config.batch * 40) == 0:
            print(f"targets {start}/{crops.count}", flush=True)
    for array in (pixels, *targets.values()):
        array.flush()
    explained = {s: p.explained for s, p in projections.items()}
    about = {"crops": asdict(crops), "targets": asdict(config), "explained": explained}
    (folder / "cache.json").write_text(json.dumps(about, indent=1))  # last: a cache without it is unfinished


def _take(items: Iterator[Image], count: int) -> Iterator[Image]:
    for _, item in zip(range(count), items, strict=False):
        yield item


def _batches(items: Iterator[Image], size: int) -> Iterator[list[Image]]:
    batch: list[Image] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def main() -> None:
    import argparse

    parser = argparse.ArgumentParser(description="Cache the teachers' targets for a fixed set of augmented crops.")
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="folder with data/ and teachers/")
    parser.add_argument("--cache", type=Path, default=Path("backbone/cache"))
    parser.add_argument("--count", type=int, default=CropConfig().count)
    parser.add_argument("--seed", type=int, default=CropConfig().seed)
    parser.add_argument("--industrial", action="store_true", help="drawn surfaces and rendered parts alone")
    parser.add_argument("--like", type=Path, help="a cache whose projections these targets are to share")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = parser.parse_args()
    photographs = sorted((arguments.shared / "data/natural").glob("*.jpg"))
    textures = sorted((arguments.shared / "data/textures").glob("*.jpg"))
    if not photographs or not textures:
        raise SystemExit(
            f"{arguments.shared}: no data/natural/*.jpg and data/textures/*.jpg here. Point --shared at the folder."
        )
    config = TargetConfig()
    teachers = load_teachers(arguments.shared / "teachers", config, arguments.device)
    crops = CropConfig(count=arguments.count, seed=arguments.seed)
    if arguments.industrial:
        crops = replace(crops, procedural_fraction=0, mosaic_fraction=0, drawn_fraction=0.9, part_fraction=0.1)
    projections = load_projections(arguments.like / "projections.npz") if arguments.like else None
    build_cache(photographs, textures, teachers, crops, config, arguments.cache, arguments.device, projections)


if __name__ == "__main__":
    main()
