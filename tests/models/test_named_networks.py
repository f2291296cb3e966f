"""Networks by name: what happens without timm, and that weights come from a file that is the network's own."""

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from sightline.errors import OptionError
from sightline.models.named_networks import load_weights, named_network
from sightline.models.safetensors import to_bytes


def small_network() -> nn.Module:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    return network.eval()


def weights_of(network: nn.Module, path: Path) -> Path:
    tensors = {name: values.numpy() for name, values in network.state_dict().items()}
    path.write_bytes(to_bytes({name: np.asarray(values) for name, values in tensors.items()}, {}))
    return path


@pytest.mark.skipif(find_spec("timm") is not None, reason="timm is installed here")
def test_without_timm_the_error_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"'resnet50' needs timm.*pip install timm, or leave --network out"):
        named_network("resnet50", tmp_path / "w.safetensors")


@pytest.fixture(scope="module")
def timm() -> Iterator[Any]:
    """The library; two operators are declared where torchvision is of another build than torch, and defined nowhere."""
    if find_spec("timm") is None:
        pytest.skip("timm is not installed here")
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]  # torch's
    if not hasattr(torch.ops.torchvision, "nms"):
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor boxes, Tensor scores, float threshold) -> Tensor")  # type: ignore[no-untyped-call]
    try:
        yield import_module("timm")
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"timm cannot be imported here: {error}")


@pytest.mark.filterwarnings("ignore")  # of timm and what it loads
@pytest.mark.parametrize("name", ["resnet18", "mobilenetv2_050"])
def test_a_network_of_timm_has_its_weights_from_the_file(name: str, timm: Any, tmp_path: Path) -> None:
    torch.manual_seed(3)
    model = timm.create_model(name, num_classes=10).eval()
    network = named_network(name, weights_of(model, tmp_path / "w.safetensors"))
    assert network.strides == (8, 16, 32)
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        maps = network(images)
        expected = model.forward_features((images - network.mean) / network.std)
    assert [tuple(m.shape[1:]) for m in maps] == [
        (channels, 64 // stride, 64 // stride) for channels, stride in zip(network.channels, (8, 16, 32), strict=True)
    ]
    if name == "resnet18":
        torch.testing.assert_close(maps[-1], expected)


@pytest.mark.parametrize("download", [False, True])
def test_weights_are_a_file_or_a_download_and_never_silent(tmp_path: Path, download: bool) -> None:
    with pytest.raises(OptionError, match="give either --weights FILE or --download"):
        named_network("resnet50", tmp_path / "w" if download else None, download=download)


def test_weights_are_read_into_the_network(tmp_path: Path) -> None:
    torch.manual_seed(1)
    source, target = small_network(), small_network()
    load_weights(target, weights_of(source, tmp_path / "w"))
    images = torch.rand(1, 3, 5, 5)
    assert torch.equal(source(images), target(images))


def test_the_head_a_network_was_trained_with_is_left_out(tmp_path: Path) -> None:
    source = nn.Sequential()
    for name, module in small_network().named_children():
        source.add_module(name, module)
    source.add_module("fc", nn.Linear(4, 1000))
    load_weights(small_network(), weights_of(source, tmp_path / "w"))


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (nn.Sequential(nn.Conv2d(3, 4, 3)), "lacks 1.bias"),
        (nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1)), "has 2.bias, which the network"),
        (nn.Sequential(nn.Conv2d(3, 4, 5), nn.BatchNorm2d(4)), r"0.weight is \(4, 3, 5, 5\)"),
    ],
    ids=["too few", "too many", "another shape"],
)
def test_weights_of_another_network_are_refused(tmp_path: Path, other: nn.Module, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        load_weights(small_network(), weights_of(other, tmp_path / "w"))
