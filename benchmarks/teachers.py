"""The pretrained teachers as ONNX backbones, for like-for-like measurements; needs torch and the shared folder.

    python benchmarks/teachers.py resnet18 --to FOLDER [--shared FOLDER]

This way a program has the file without the memory that torch takes.
"""

import argparse
import importlib.util
import sys
import warnings
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from torch import Tensor, nn

from shared import shared_folder

NAMES = ("mobilenetv2", "resnet18", "resnet50")


def export_teacher(shared: Path, name: str, folder: Path, *, untrained: bool = False) -> Path:
    """Write a teacher as ONNX with outputs at strides 8 and 16; `untrained` draws its weights at random (He)."""
    module = _load(shared / "teachers" / "teachers.py")
    path = folder / f"{name}{'-untrained' if untrained else ''}.onnx"
    with np.load(shared / "teachers" / f"{name}.npz") as stored:
        weights = {key: torch.from_numpy(stored[key].astype(np.float32)) for key in stored}
    if untrained:
        generator = torch.Generator().manual_seed(0)
        for key, weight in weights.items():
            fan = weight[0].numel() if weight.ndim > 1 else 1
            drawn = torch.randn(weight.shape, generator=generator) * (2 / fan) ** 0.5
            weights[key] = drawn if weight.ndim > 1 else torch.zeros_like(weight)
    network = _Network(getattr(module, f"_{name}"), weights)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its own successor
        torch.onnx.export(
            network,
            (torch.zeros(1, 3, 64, 64),),
            str(path),
            dynamo=False,
            opset_version=18,
            input_names=["image"],
            output_names=["stride8", "stride16"],
            dynamic_axes={"image": {0: "n", 2: "h", 3: "w"}, "stride8": {0: "n"}, "stride16": {0: "n"}},
        )
    return path


class _Network(nn.Module):
    def __init__(self, forward, weights: dict[str, Tensor]) -> None:  # type: ignore[no-untyped-def]
        super().__init__()
        self._forward, self._weights = forward, weights

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        maps = self._forward(self._weights, images)
        return maps[8], maps[16]


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("_teachers", path)
    if spec is None or spec.loader is None or not path.exists():
        raise SystemExit(f"{path}: not found. The teachers are needed for this measurement.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--to", type=Path, required=True, help="folder for NAME.onnx")
    parser.add_argument("--shared", type=Path, help="folder with teachers/  [default: ../shared]")
    options = parser.parse_args()
    print(export_teacher(shared_folder(options.shared), options.name, options.to))
    return 0


if __name__ == "__main__":
    sys.exit(main())
