"""Scores of cells, learnt from masks: what the loss asks of them, and that they make a small defect's name known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sightline.models.album import Album
from sightline.models.augmentation import Changes
from sightline.models.backbone import Backbone
from sightline.models.class_checkpoint import Checkpoint
from sightline.models.class_config import LearningConfig
from sightline.models.class_training import Learnt, learn
from sightline.models.classifier import Classifier, Head, whole_model
from sightline.models.evidence import Evidence, cell_loss
from sightline.models.features import FeatureConfig, run_image
from sightline.models.graph import open_session
from sightline.models.impressions import Impressions
from sightline.models.lesson import Lesson
from sightline.models.network import GraphNetwork
from sightline.records import Frame

FEATURES = FeatureConfig(height=64, width=64)
NAMES = ("good", "dark", "light")


def picture(label: int, seed: int) -> tuple[Frame, Frame]:
    """A noisy surface, with one small dark or light spot where it is a defect; and its mask."""
    rng = np.random.default_rng((label, seed))
    pixels, mask = rng.normal(120, 25, (64, 64, 1)), np.zeros((64, 64, 1), np.uint8)
    if label:
        y, x = rng.integers(8, 52, 2)
        pixels[y : y + 5, x : x + 5] = 10 if label == 1 else 245
        mask[y : y + 5, x : x + 5] = 255
    return Frame(pixels=pixels.clip(0, 255).astype(np.uint8)), Frame(pixels=mask)


@pytest.fixture(scope="module")
def lesson() -> Lesson:
    labels = np.repeat(np.arange(3), 10)
    shown = [picture(int(label), seed) for seed, label in enumerate(labels)]
    frames, masks = ([pair[place] for pair in shown] for place in (0, 1))
    held_out = tuple(range(0, 30, 5))
    return Lesson(
        album=Album(frames, FEATURES, 1 << 20),
        masks=Album(masks, FEATURES, 1 << 20),
        labels=labels,
        names=NAMES,
        learn=tuple(i for i in range(30) if i not in held_out),
        held_out=held_out,
    )


def train(lesson: Lesson, backbone: Backbone, path: Path | None = None, *, epochs: int = 3) -> Learnt:
    config = LearningConfig(epochs=epochs, seed=1, imbalance="none")
    return learn(lesson, GraphNetwork(backbone), config, Checkpoint(path=path, identity="this"))


def asked(scores: torch.Tensor, share: torch.Tensor, kind: int) -> torch.Tensor:
    """The gradient of one picture's scores: where it is not 0, something is asked of them."""
    scores = scores.clone().requires_grad_()
    cell_loss(scores, share, torch.tensor([kind])).backward()  # type: ignore[no-untyped-call]
    assert scores.grad is not None
    return scores.grad[0]


def test_marked_cells_are_to_show_their_defect_and_the_likeliest_others_are_not() -> None:
    scores = torch.linspace(-1, 1, 200).reshape(1, 2, 10, 10)
    share = torch.zeros(1, 1, 10, 10)
    share[..., 4, 4] = 0.5
    found = asked(scores, share, 0)
    assert found[0, 4, 4] < 0
    assert (found[1] > 0).sum() == 10  # a tenth of the cells
    assert (found[0] != 0).sum() == 1


def test_nothing_is_asked_of_a_cell_that_the_mask_barely_touches() -> None:
    share = torch.zeros(1, 1, 10, 10)
    share[..., 4, 4], share[..., 4, 5] = 0.5, 0.01
    scores = torch.full((1, 1, 10, 10), -3.0)
    scores[..., 4, 5] = 9
    assert asked(scores, share, 0)[0, 4, 5] == 0


def test_a_defect_that_nobody_marked_says_nothing_of_its_own_kind() -> None:
    found = asked(torch.rand(1, 2, 10, 10), torch.zeros(1, 1, 10, 10), 1)
    assert (found[1] == 0).all()
    assert (found[0] > 0).any()


def test_a_good_picture_asks_for_low_scores_of_every_kind() -> None:
    found = asked(torch.zeros(1, 2, 10, 10), torch.zeros(1, 1, 10, 10), -1)
    assert (found >= 0).all()


def test_before_it_has_learnt_it_changes_no_logit(patchy: Backbone) -> None:
    network = GraphNetwork(patchy)
    evidence = Evidence(network, 2)
    head = Head(evidence.channels, 3)
    images = torch.rand(4, 3, 64, 64)
    with torch.no_grad():
        before = Classifier(evidence, head)(images)
        evidence.connect(head, (1, 2))
        assert torch.allclose(Classifier(evidence, head).eval()(images), before, atol=1e-5)


def test_the_same_seed_gives_the_same_weights_and_the_network_stays_as_it_is(
    lesson: Lesson, patchy: Backbone, tmp_path: Path
) -> None:
    first, second = train(lesson, patchy), train(lesson, patchy)
    states = [learnt.classifier.state_dict() for learnt in (first, second)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    shipped = GraphNetwork(patchy).state_dict()
    assert all(torch.equal(shipped[name], states[0][f"network.network.{name}"]) for name in shipped)


def test_an_interrupted_training_goes_on_as_if_it_had_not_been(
    lesson: Lesson, patchy: Backbone, tmp_path: Path
) -> None:
    whole = train(lesson, patchy).classifier.state_dict()

    def interrupt(stage: str, done: int, total: int) -> None:
        if stage == "fine-tuning" and done > 24:
            raise KeyboardInterrupt

    path, config = tmp_path / "m.checkpoint", LearningConfig(epochs=3, seed=1, imbalance="none")
    with pytest.raises(KeyboardInterrupt):
        learn(lesson, GraphNetwork(patchy), config, Checkpoint(path=path, identity="this"), interrupt)
    went_on = train(lesson, patchy, path).classifier.state_dict()
    assert all(torch.equal(whole[name], went_on[name]) for name in whole)


def test_the_graph_says_what_torch_says_and_its_cells_sum_up_to_the_logits(lesson: Lesson, patchy: Backbone) -> None:
    learnt = train(lesson, patchy)
    made = learnt.classifier
    model = whole_model(made.network, made.head, learnt.space, FEATURES, NAMES, 1.0)
    frame, _ = picture(1, 99)
    names = [output.name for output in model.graph.output]
    found = dict(zip(names, run_image(open_session(model, threads=1), frame, FEATURES), strict=True))
    with torch.inference_mode():
        logits = made(Album([frame], FEATURES, 0).batch([0], torch.device("cpu")))[0]
    np.testing.assert_allclose(found["activations"].sum(axis=(1, 2)), logits.numpy(), atol=1e-3)
    np.testing.assert_allclose(found["probabilities"], torch.softmax(logits, 0).numpy(), atol=1e-3)


def test_impressions_are_the_same_with_and_without_room(lesson: Lesson, patchy: Backbone) -> None:
    assert lesson.masks is not None
    network = GraphNetwork(patchy)
    kept = [
        Impressions(network, lesson.album, lesson.masks, Changes(mirror=True, noise=0.1), count=30, room=room, seed=0)
        for room in (0, 1 << 26)
    ]
    assert [one.versions for one in kept] == [2, 4]
    device = torch.device("cpu")
    for _ in range(2):
        (first, shares), (again, same) = (one.batch([0, 2], [3, 12], device) for one in kept)
        assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
        assert torch.equal(shares, same)
        assert shares[1].max() > 0


def test_pictures_without_masks_learn_no_scores(lesson: Lesson, patchy: Backbone) -> None:
    found = train(replace(lesson, masks=None), patchy)
    assert not isinstance(found.classifier.network, Evidence)
    assert found.epochs == 0
