"""Networks by name, through timm where it is installed; their weights are a local file, or fetched when asked for."""

import hashlib
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sightline.errors import OptionError
from sightline.models.network import Network
from sightline.models.safetensors import read_tensors

_STRIDES = (8, 16, 32)
_INSTALL = "Install it with pip install timm, or leave --network out to use the backbone that ships."
_OTHER_HEAD = ("fc.", "classifier.", "head.", "conv_head.", "bn2.")  # of the classes that it was trained on


class NamedNetwork(Network):
    """A network of timm with the maps at strides 8, 16 and 32; its own mean and spread of colours are inside."""

    mean: Tensor
    std: Tensor

    def __init__(self, name: str, model: nn.Module, sha256: str) -> None:
        """Raises OptionError where the model has no such maps."""
        super().__init__()
        described: Any = model
        levels = [place for place, info in enumerate(described.feature_info) if info["reduction"] in _STRIDES]
        self.strides = tuple(described.feature_info[place]["reduction"] for place in levels)
        self.channels = tuple(described.feature_info[place]["num_chs"] for place in levels)
        if self.strides != _STRIDES or not hasattr(model, "forward_intermediates"):
            raise OptionError(f"network {name!r} has no feature maps at strides 8, 16 and 32; take another.")
        self.name, self.sha256, self.model, self._levels = name, sha256, model, levels
        for key in ("mean", "std"):
            values = torch.tensor(described.pretrained_cfg[key])[None, :, None, None]
            self.register_buffer(key, values)

    def forward(self, images: Tensor) -> list[Tensor]:
        model: Any = self.model
        maps: list[Tensor] = model.forward_intermediates(
            (images - self.mean) / self.std, indices=self._levels, intermediates_only=True
        )
        return maps

    def late_parameters(self) -> list[nn.Parameter]:
        """The last third of the weights, in the order of the network."""
        weights = list(self.model.parameters())
        return weights[2 * len(weights) // 3 :]


def named_network(name: str, weights: Path | None, *, download: bool = False) -> NamedNetwork:
    """A network of timm, such as resnet50, efficientnet_b0 or mobilenetv2_100.

    Args:
        weights: a safetensors file with the network's weights under timm's own names.
        download: fetch them instead, from where timm keeps them.

    Raises:
        OptionError: timm is not installed, does not know the name, or the weights are missing or of another network.
    """
    if (weights is None) == (not download):
        raise OptionError(f"network {name!r} needs weights: give either --weights FILE or --download.")
    timm = timm_library(name)
    if not timm.is_model(name):
        raise OptionError(f"timm does not know the network {name!r}; timm.list_models() names those it has.")
    model = timm.create_model(name, pretrained=download, num_classes=0)
    if weights is None:
        return NamedNetwork(name, model.eval(), hashlib.sha256(name.encode()).hexdigest())
    load_weights(model, weights)
    return NamedNetwork(name, model.eval(), hashlib.sha256(weights.read_bytes()).hexdigest())


def timm_library(wanted: str) -> Any:
    """The library timm; raises OptionError where it cannot be imported, for the network that is wanted."""
    try:
        return import_module("timm")
    except (ImportError, RuntimeError) as error:  # RuntimeError: torchvision of another build than torch
        raise OptionError(
            f"network {wanted!r} needs timm, which cannot be imported here ({error}). {_INSTALL}"
        ) from error


def load_weights(model: nn.Module, path: Path) -> None:
    """Give a network the weights in a safetensors file; those of the head it was trained with are left out.

    Raises:
        OptionError: the file is not whole, lacks a weight of the network, or has one of another shape.
    """
    stored = {name: torch.from_numpy(values.copy()) for name, values in read_tensors(path)[0].items()}
    wanted = model.state_dict()
    missing = sorted(set(wanted) - set(stored) - {name for name in wanted if name.endswith("num_batches_tracked")})
    extra = sorted(name for name in set(stored) - set(wanted) if not name.startswith(_OTHER_HEAD))
    if missing or extra:
        odd = f"lacks {missing[0]}" if missing else f"has {extra[0]}, which the network lacks"
        raise OptionError(f"{path}: {odd}; give the weights of this very network, under timm's names.")
    for name, values in stored.items():
        if name in wanted and wanted[name].shape != values.shape:
            raise OptionError(f"{path}: {name} is {tuple(values.shape)}, the network's {tuple(wanted[name].shape)}.")
    model.load_state_dict({name: values for name, values in stored.items() if name in wanted}, strict=False)
