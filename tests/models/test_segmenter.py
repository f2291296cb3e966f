"""The segmenter's graph: masks that add up to the map, as torch computes them, at every size."""

import numpy as np
import pytest
import torch

from sightline.models.backbone import load_backbone
from sightline.models.excerpts import Scenes
from sightline.models.features import FeatureConfig, run_image
from sightline.models.graph import open_session
from sightline.models.network import GraphNetwork
from sightline.models.segment_training import loss
from sightline.models.segmenter import Decoder, PlainUNet, probabilities, whole_model
from sightline.models.taps import tapped
from sightline.records import FloatArray, Frame

CONFIG = FeatureConfig(height=64, width=96)


def frame_of(height: int, width: int) -> Frame:
    return Frame(pixels=np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))


def made(head: Decoder | PlainUNet) -> Decoder | PlainUNet:
    """With norms and last weights that are not those of the start."""
    torch.manual_seed(0)
    for module in head.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean = torch.randn(module.num_features) * 0.1
            module.running_var = torch.rand(module.num_features) + 0.5
    return head.eval()


def run(head: Decoder | PlainUNet, config: FeatureConfig, frame: Frame) -> dict[str, FloatArray]:
    trunk = tapped(load_backbone()) if isinstance(head, Decoder) else None
    session = open_session(whole_model(head, trunk, config, 3, 16), threads=1)
    return dict(zip(("score", "map", "masks"), run_image(session, frame, config), strict=True))


@pytest.fixture(scope="module")
def decoder() -> Decoder:
    trunk = tapped(load_backbone())
    torch.manual_seed(0)
    head = made(Decoder(trunk.strides, trunk.channels, 3))
    assert isinstance(head, Decoder)
    return head


def test_the_taps_are_all_strides_of_the_backbone_and_its_own_maps_unmixed() -> None:
    trunk = tapped(load_backbone())
    assert trunk.strides == (2, 4, 8, 16)
    assert trunk.channels[2:] == GraphNetwork(load_backbone()).channels
    session = open_session(trunk.model, threads=1)
    maps = session.run(None, {session.get_inputs()[0].name: np.zeros((1, 3, 64, 64), np.float32)})
    assert [m.shape for m in maps] == [
        (1, c, 64 // s, 64 // s) for c, s in zip(trunk.channels, trunk.strides, strict=True)
    ]


def test_the_graph_computes_what_torch_does(decoder: Decoder) -> None:
    frame = frame_of(64, 96)
    found = run(decoder, CONFIG, frame)
    trunk = tapped(load_backbone())
    session = open_session(trunk.model, threads=1)
    picture = frame.pixels.transpose(2, 0, 1)[None].astype(np.float32) / 255
    maps = session.run(None, {session.get_inputs()[0].name: picture})
    with torch.inference_mode():
        expected = probabilities(decoder(*map(torch.from_numpy, maps)))[0].numpy()
    np.testing.assert_allclose(found["masks"], expected, atol=1e-4)


def test_a_plain_u_net_needs_no_backbone() -> None:
    torch.manual_seed(0)
    head, frame = made(PlainUNet(3)), frame_of(64, 96)
    picture = torch.from_numpy(frame.pixels.transpose(2, 0, 1)[None].astype(np.float32) / 255)
    with torch.inference_mode():
        expected = probabilities(head(picture))[0].numpy()
    np.testing.assert_allclose(run(head, CONFIG, frame)["masks"], expected, atol=1e-4)


def test_the_masks_add_up_to_the_map_and_its_maximum_is_the_score(decoder: Decoder) -> None:
    found = run(decoder, CONFIG, frame_of(100, 150))
    assert found["masks"].shape == (3, 64, 96)
    np.testing.assert_allclose(found["masks"].sum(axis=0), found["map"], atol=1e-5)
    assert found["score"] == found["map"].max()


def test_with_a_scale_a_picture_keeps_its_shape(decoder: Decoder) -> None:
    config = FeatureConfig(height=64, width=64, scale=0.5)
    assert run(decoder, config, frame_of(130, 320))["map"].shape == (64, 160)


def test_the_loss_is_least_where_pixels_and_classes_are_right() -> None:
    share = torch.zeros(2, 16, 16)
    share[0, 4:12, 4:12] = 1
    of_class = torch.stack([share, torch.zeros_like(share)], dim=1)
    right = torch.cat([20 * share[:, None] - 10, 20 * of_class - 10], dim=1)
    misnamed = torch.cat([right[:, :1], right[:, 2:], right[:, 1:2]], dim=1)
    missed = torch.cat([torch.full_like(right[:, :1], -10), right[:, 1:]], dim=1)
    values = [float(loss(logits, share, of_class)) for logits in (right, misnamed, missed)]
    assert values[0] < 0.02
    assert values[1] > 1
    assert values[2] > 1


def test_excerpts_move_picture_and_truth_together() -> None:
    class OnePicture:
        def __getitem__(self, index: int) -> np.ndarray:
            return picture

    classes = np.zeros((40, 60), np.uint8)
    classes[10:20, 30:45] = 2
    picture = np.where(classes > 0, 200, 10).astype(np.uint8)[None]
    scenes = Scenes(album=OnePicture(), classes_of=lambda _: classes, classes=2, room=10_000)  # type: ignore[arg-type]
    planes = scenes.excerpts([0] * 8, 48, np.random.default_rng(0))
    assert planes.shape == (8, 6, 48, 48)
    np.testing.assert_array_equal(planes[:, 0] > 0.5, planes[:, 3] > 0.5)
    np.testing.assert_array_equal(planes[:, 3], planes[:, 5])
    assert not planes[:, 4].any()
