"""A projection learnt with drawn defects, in place of principal components: PatchCore on what tells good from drawn.

Liu et al. 2023, "SimpleNet", arXiv 2303.15140, sections 3.2 to 3.5: a linear adaptor and a small network that tells the
features of good places from spoilt ones are learnt together, by the truncated L1 loss of eq. 6. As in SuperSimpleNet
(Rolih et al. 2024, arXiv 2408.03143) and GLASS (Chen et al. 2024, arXiv 2407.09359) some places are spoilt in the
picture and some by noise on their features. The network is then left out, and the adaptor, here from all principal
components to as many as the default keeps, takes the place of the projection. It begins as the default's own.

The pictures are spoilt by pieces of the same picture, brighter or darker, put elsewhere (Li et al. 2021, "CutPaste",
arXiv 2104.04015, section 3.1): another kind of drawing than those that the candidates are judged with.
"""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sightline.models.backbone import load_backbone
from sightline.models.detector import FittedDetector
from sightline.models.features import FeatureConfig, Features, Projection, fit_features
from sightline.models.patchcore import PatchCoreConfig, extend
from sightline.models.pools import Pool
from sightline.models.window import Memory, Window
from sightline.records import FloatArray, Frame

Pixels = NDArray[np.uint8]
STEPS = 2_000
BATCH = 2_048  # cells of each kind
_MOST_CELLS = 200_000  # of good ones kept, and of spoilt ones
_NOISE = 0.25  # of a component's own spread
_MARGIN = 0.5  # th of eq. 6
_RATES = (1e-4, 2e-4)  # of the adaptor and of the network: section 4.2
_AREA = (0.02, 0.15)  # of the picture that a piece covers
_RATIO = (0.3, 1 / 0.3)  # of its sides
_LIGHT = 0.1  # of white
_MARKED = 0.5  # of a cell that a piece must cover for it to count as spoilt


def fit(pictures: Sequence[Pixels], config: FeatureConfig, seed: int) -> FittedDetector:
    """PatchCore with default settings but for the projection.

    Args:
        config: as the default chose it for these pictures.
    """
    frames = [Frame(pixels=picture) for picture in pictures]
    backbone = load_backbone(None)
    everything = fit_features(frames, backbone, replace(config, dimensions=sum(backbone.channels)))
    found = learnt(*cells_of(frames, everything, seed), config.dimensions, seed)
    projection = everything.projection
    features = Features(
        config=config,
        backbone=backbone,
        projection=Projection(
            offset=projection.offset @ found,
            bases=tuple(basis @ found for basis in projection.bases),
            explained=projection.explained,
        ),
    )
    return extend(frames, features, _nothing(features), PatchCoreConfig(seed=seed))


def _nothing(features: Features) -> Window:
    """What a model remembers that is learnt anew."""
    pool = Pool(
        patches=np.empty((0, features.config.dimensions), np.float32),
        owners=np.empty(0, np.int32),
        cells=np.empty(0, np.int32),
    )
    memory = Memory(grid=features.grid, pool=pool, prior=None)
    return Window(images=(), scores=np.empty(0, np.float32), memory=memory)


def cells_of(frames: Sequence[Frame], features: Features, seed: int) -> tuple[FloatArray, FloatArray]:
    """(n, D) of good places and (m, D) of spoilt ones; each picture is spoilt once."""
    rng = np.random.default_rng(seed)
    made = [spoilt(np.asarray(frame.pixels, np.uint8), rng) for frame in frames]
    per_frame = max(1, _MOST_CELLS // len(frames))
    order = range(len(frames))
    good = [cells[rng.permutation(len(cells))[:per_frame]] for cells in features.extract(frames, order)]
    bad = []
    pasted = [Frame(pixels=pixels) for pixels, _ in made]
    for cells, (_, mask) in zip(features.extract(pasted, order), made, strict=True):
        share = cv2.resize(mask, features.grid[::-1], interpolation=cv2.INTER_AREA).reshape(-1)
        bad.append(cells[share >= _MARKED][:per_frame])
    return np.concatenate(good), np.concatenate(bad)


def spoilt(pixels: Pixels, rng: np.random.Generator) -> tuple[Pixels, FloatArray]:
    """The picture with a piece of it elsewhere, and where that is, (H, W) 0 or 1."""
    height, width = pixels.shape[:2]
    area = rng.uniform(*_AREA) * height * width
    ratio = np.exp(rng.uniform(*np.log(_RATIO)))
    rows, columns = (
        int(np.clip(np.sqrt(side), 2, whole - 1)) for side, whole in ((area * ratio, height), (area / ratio, width))
    )
    (top, left), (to_top, to_left) = (
        (rng.integers(height - rows + 1), rng.integers(width - columns + 1)) for _ in range(2)
    )
    piece = pixels[top : top + rows, left : left + columns] + rng.uniform(-_LIGHT, _LIGHT) * 255
    made, mask = pixels.copy(), np.zeros((height, width), np.float32)
    made[to_top : to_top + rows, to_left : to_left + columns] = np.clip(piece, 0, 255).round()
    mask[to_top : to_top + rows, to_left : to_left + columns] = 1
    return made, mask


def learnt(good: FloatArray, bad: FloatArray, dimensions: int, seed: int) -> FloatArray:
    """(D, dimensions), beginning with the first components alone."""
    generator = torch.Generator().manual_seed(seed)
    whole, spoilt_cells = torch.from_numpy(good), torch.from_numpy(bad)
    spread = whole.std(dim=0, keepdim=True)
    adaptor = nn.Parameter(torch.eye(good.shape[1])[:, :dimensions].clone())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = nn.Sequential(
            nn.Linear(dimensions, dimensions), nn.BatchNorm1d(dimensions), nn.LeakyReLU(0.2), nn.Linear(dimensions, 1)
        )
    rates = [{"params": part, "lr": rate} for part, rate in zip(([adaptor], network.parameters()), _RATES, strict=True)]
    optimizer = torch.optim.Adam(rates, weight_decay=1e-5)
    for _ in range(STEPS):
        usual, drawn = (
            cells[torch.randint(len(cells), (BATCH,), generator=generator)] for cells in (whole, spoilt_cells)
        )
        noisy = usual + _NOISE * spread * torch.randn(usual.shape, generator=generator)
        said = network(torch.cat([usual, drawn, noisy]) @ adaptor).squeeze(1)
        loss = _truncated(said, BATCH)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    found: FloatArray = adaptor.detach().numpy()
    return found


def _truncated(said: Tensor, good: int) -> Tensor:
    """Eq. 6; the first are of good places, which shall be above the margin."""
    return (_MARGIN - said[:good]).clamp_min(0).mean() + (_MARGIN + said[good:]).clamp_min(0).mean()
