"""What the files that a recipe names cannot do is told before a station runs it, each with its line."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from sightline import bundle
from sightline.errors import OptionError
from sightline.line import plan
from sightline.line.rehearsal import refuse_unusable
from sightline.segment_rule import SegmentRule

RECIPE = """product = "disc"
number = 1
window_ms = 500
[plc]
kind = "sim"
[[views]]
name = "top"
model = "top.sight"
{view}
[views.camera]
kind = "sim"
pictures = "pictures"
[store]
folder = "records"
"""
MODEL, VIEW = 8, 9  # the lines of the model and of what a test adds


@pytest.fixture
def write(tmp_path: Path, brightness: Path) -> Callable[[str], Path]:
    """A recipe beside a model and a picture of the set-up, 32 x 24 px."""
    (tmp_path / "top.sight").write_bytes(brightness.read_bytes())
    (tmp_path / "pictures").mkdir()
    pixels = np.random.default_rng(0).integers(0, 90, (24, 32)).astype(np.uint8)
    assert cv2.imwrite(str(tmp_path / "top.png"), pixels)
    assert cv2.imwrite(str(tmp_path / "deep.png"), pixels.astype(np.uint16) * 700)

    def write(view: str = "") -> Path:
        path = tmp_path / "disc.toml"
        path.write_text(RECIPE.format(view=view), "utf-8")
        return path

    return write


def told(path: Path) -> list[str]:
    with pytest.raises(OptionError) as refused:
        refuse_unusable(path, plan.read(path))
    return str(refused.value).replace(f"{path.parent}/", "").splitlines()


def write_segmenting(path: Path, brightness: Path) -> None:
    """The same model, but it outlines what it finds."""
    like = bundle.load(brightness)
    graph = onnx.load_from_string(like.graph)
    axis = helper.make_tensor("axis", TensorProto.INT64, [1], [0])
    graph.graph.initializer.append(axis)
    graph.graph.node.append(helper.make_node("Unsqueeze", ["map", "axis"], ["masks"]))
    graph.graph.output.append(helper.make_tensor_value_info("masks", TensorProto.FLOAT, [1, "h", "w"]))
    content = graph.SerializeToString()
    rule = SegmentRule(
        mark=0.5,
        mm_per_px=None,
        area_weight=1.0,
        full_area=0.25,
        contrast_weight=0.0,
        full_contrast=0.5,
        position_weight=0.0,
    )
    manifest = replace(
        like.manifest, labels=("good", "crack"), segments=rule, graph_sha256=hashlib.sha256(content).hexdigest()
    )
    bundle.save(path, content, manifest)


def test_a_recipe_whose_files_can_do_what_it_wants_is_not_refused(write: Callable[[str], Path]) -> None:
    region = "region = { x = 4, y = 0, width = 28, height = 24 }"
    for view in ("", f'{region}\nreference = "top.png"\nreject_at = 50\nshadow = "top.sight"'):
        path = write(view)
        refuse_unusable(path, plan.read(path))


def test_a_broken_model_is_told_with_the_line_that_names_it(write: Callable[[str], Path]) -> None:
    path = write('shadow = "next.sight"')
    model = path.parent / "top.sight"
    (path.parent / "next.sight").write_bytes(model.read_bytes()[:-100])
    (line,) = told(path)
    assert line.startswith(f"disc.toml, line {VIEW}: views[0].shadow: next.sight: ")
    model.write_bytes(b"no model")
    first, second = told(path)
    assert first.startswith(f"disc.toml, line {MODEL}: views[0].model: top.sight: ")
    assert "views[0].shadow" in second, "all is told at once"


@pytest.mark.parametrize(
    ("view", "message"),
    [
        pytest.param('product = "disc"', "views[0].product: top.sight: was not trained on several", id="product"),
        pytest.param(
            'region = { x = 8, y = 0, width = 32, height = 24 }\nreference = "top.png"',
            "views[0].region: view top: the region reaches beyond the 32 x 24 px of top.png",
            id="region",
        ),
        pytest.param('reference = "disc.toml"', "views[0].reference: view top: disc.toml: ", id="no picture"),
        pytest.param('reference = "deep.png"', "views[0].model: top.sight: cannot judge deep.png: ", id="16 bits"),
    ],
)
def test_what_a_file_cannot_do_is_told_with_its_line(write: Callable[[str], Path], view: str, message: str) -> None:
    (line,) = told(write(view))
    at = MODEL if "model:" in message else VIEW
    assert line.startswith(f"disc.toml, line {at}: {message}")


def test_a_threshold_of_scores_is_told_where_the_model_outlines_what_it_finds(
    write: Callable[[str], Path], brightness: Path
) -> None:
    path = write("reject_at = 50")
    write_segmenting(path.parent / "top.sight", brightness)
    (line,) = told(path)
    assert line.startswith(f"disc.toml, line {VIEW}: views[0].reject_at: top.sight: names or outlines what it finds")
