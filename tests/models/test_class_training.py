"""Training a classifier: it learns, by the seed alone, and goes on after a break as if there had been none."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sightline.evaluation.metrics import macro_f1
from sightline.models.album import Album
from sightline.models.augmentation import PRESETS, Changes
from sightline.models.backbone import Backbone
from sightline.models.class_checkpoint import Checkpoint
from sightline.models.class_config import LearningConfig
from sightline.models.class_training import Learnt, Lesson, learn, recognised
from sightline.models.features import FeatureConfig
from sightline.models.network import GraphNetwork
from sightline.records import Frame

FEATURES = FeatureConfig(height=32, width=32)
CONFIG = LearningConfig(epochs=3, seed=1, imbalance="none")


def frame(label: int, seed: int) -> Frame:
    """Plain, a bright spot, or stripes."""
    rng = np.random.default_rng((label, seed))
    pixels = rng.normal(120, 12, (32, 32, 1))
    y, x = rng.integers(4, 20, 2)
    if label == 1:
        pixels[y : y + 8, x : x + 8] += 90
    if label == 2:
        pixels[:, ::4] -= 60
    return Frame(pixels=pixels.clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def lesson() -> Lesson:
    labels = np.repeat(np.arange(3), 10)
    frames = [frame(int(label), seed) for seed, label in enumerate(labels)]
    held_out = tuple(range(0, 30, 5))
    return Lesson(
        album=Album(frames, FEATURES, 1 << 20),
        labels=labels,
        names=("good", "spot", "stripes"),
        learn=tuple(i for i in range(30) if i not in held_out),
        held_out=held_out,
    )


def train(lesson: Lesson, backbone: Backbone, config: LearningConfig = CONFIG, path: Path | None = None) -> Learnt:
    return learn(lesson, GraphNetwork(backbone), config, Checkpoint(path=path, identity="this"))


def same(first: Learnt, second: Learnt) -> bool:
    states = [learnt.classifier.state_dict() for learnt in (first, second)]
    return all(torch.equal(states[0][name], states[1][name]) for name in states[0])


@pytest.fixture(scope="module")
def learnt(lesson: Lesson, patchy: Backbone) -> Learnt:
    return train(lesson, patchy)


def test_it_learns_to_tell_the_classes_apart(learnt: Learnt) -> None:
    assert learnt.macro_f1 == 1
    assert not learnt.classifier.training


def test_the_same_seed_gives_the_same_weights(learnt: Learnt, lesson: Lesson, patchy: Backbone) -> None:
    assert same(learnt, train(lesson, patchy))


def test_an_interrupted_training_goes_on_as_if_it_had_not_been(
    learnt: Learnt, lesson: Lesson, patchy: Backbone, tmp_path: Path
) -> None:
    path, epochs = tmp_path / "m.checkpoint", 0

    def interrupt(stage: str, done: int, total: int) -> None:
        nonlocal epochs
        epochs += stage == "fine-tuning" and done % 24 == 0
        if epochs == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learn(lesson, GraphNetwork(patchy), CONFIG, Checkpoint(path=path, identity="this"), interrupt)
    assert path.exists()
    seen: list[str] = []
    went_on = learn(
        lesson,
        GraphNetwork(patchy),
        CONFIG,
        Checkpoint(path=path, identity="this"),
        lambda stage, done, total: seen.append(stage),
    )
    assert same(learnt, went_on)
    assert set(seen) == {"fine-tuning", "classes"}  # the first phase was not done again


def test_what_another_training_left_is_not_used(lesson: Lesson, patchy: Backbone, tmp_path: Path) -> None:
    path = tmp_path / "m.checkpoint"
    train(lesson, patchy, replace(CONFIG, epochs=0), path)
    assert Checkpoint(path=path, identity="this").read() is not None
    assert Checkpoint(path=path, identity="other").read() is None


def test_with_no_epochs_the_network_stays_as_it_is(lesson: Lesson, patchy: Backbone) -> None:
    network = GraphNetwork(patchy)
    before = {name: values.clone() for name, values in network.state_dict().items()}
    found = learn(lesson, network, replace(CONFIG, epochs=0), Checkpoint(path=None, identity=""))
    assert all(torch.equal(before[name], values) for name, values in found.classifier.network.state_dict().items())
    assert found.epochs == 0


def test_time_that_is_up_ends_the_second_phase(lesson: Lesson, patchy: Backbone) -> None:
    assert train(lesson, patchy, replace(CONFIG, minutes=1e-6)).epochs == 0


def test_where_classes_differ_in_size_the_best_way_is_chosen_by_the_pictures_held_out(
    lesson: Lesson, patchy: Backbone
) -> None:
    uneven = replace(lesson, learn=tuple(i for i in lesson.learn if i < 20 or i > 27))
    found = train(uneven, patchy, LearningConfig(epochs=0))
    assert found.imbalance in ("none", "weights", "oversample", "focal")


def test_a_change_that_makes_classes_alike_is_turned_off(
    lesson: Lesson, patchy: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PRESETS, "metal", Changes(noise=3.0, light=0.02))
    assert train(lesson, patchy, replace(CONFIG, epochs=0, material="metal")).off == ("noise",)


def test_a_picture_is_not_recognised_by_itself() -> None:
    embeddings = torch.tensor([[0.0], [1.0], [10.0], [11.0], [0.5]])
    found = recognised(embeddings, np.array([0, 0, 1, 1, 1]))
    assert found.tolist() == [True, True, True, True, False]


def test_the_macro_f1_weighs_classes_alike() -> None:
    labels, predicted = np.array([0, 0, 0, 1]), np.array([0, 0, 0, 0])
    assert macro_f1(predicted, labels, 3) == pytest.approx((6 / 7 + 0) / 2)


def test_an_album_gives_the_same_pictures_with_and_without_room(part: Callable[..., Frame]) -> None:
    frames = [part(seed) for seed in range(3)]
    albums = [Album(frames, FEATURES, room) for room in (0, 1 << 20)]
    device = torch.device("cpu")
    assert torch.equal(albums[0].batch([0, 2], device), albums[1].batch([0, 2], device))
    assert torch.equal(albums[1].batch([0, 2], device), albums[1].batch([0, 2], device))
