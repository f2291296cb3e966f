"""What the table of several products is drawn from."""

from pathlib import Path

from products import limited
from sightline.datasets.dataset import Dataset, Sample


def test_a_draw_keeps_the_splits_apart_and_depends_on_the_seed() -> None:
    samples = tuple(
        Sample(path=Path(f"{split}{number}.png"), label=label, split=split)
        for split, label in (("train", "good"), ("train", "hole"), ("test", "good"), ("test", "hole"))
        for number in range(20)
    )
    dataset = Dataset(name="parts", root=Path("parts"), samples=samples)
    found = limited(dataset, 6, 10, 0)
    assert (len(found.train_good), len(found.train), len(found.test)) == (6, 6, 10)
    assert limited(dataset, 6, 10, 0) == found != limited(dataset, 6, 10, 1)
    assert set(limited(dataset, 100, 100, 0).samples) == {s for s in samples if s.is_good or s.split == "test"}
