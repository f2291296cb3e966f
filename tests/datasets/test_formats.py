"""Each format as its makers document it, by hand; and what hostile or broken files get."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sightline.datasets.annotations import Annotation, LabelledSet, Mask, Polygon, Polygons, Rectangle
from sightline.datasets.formats import class_names
from sightline.datasets.formats.brush import read_brush, write_brush
from sightline.datasets.formats.coco import packed, unpacked
from sightline.datasets.geometry import decoded, encoded
from sightline.datasets.labelled import guessed, open_labelled
from sightline.errors import DatasetError, OptionError

Save = Callable[..., Path]
Lay = Callable[[str, str], LabelledSet]
BOX = Rectangle(left=8, top=6, right=16, bottom=18)  # in a picture of 32 x 24


@pytest.fixture
def lay(tmp_path: Path, save: Save) -> Lay:
    """Opens a folder with the picture images/1.png, 32 x 24, and one file of annotations."""
    save(tmp_path / "images/1.png")

    def opened(name: str, content: str) -> LabelledSet:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content, "utf-8")
        return open_labelled(tmp_path)

    return opened


def only(dataset: LabelledSet) -> Annotation:
    assert len(dataset.pictures) == dataset.annotations == 1
    return dataset.pictures[0].annotations[0]


def coco(segmentation: Any = None, **changes: Any) -> str:
    image = {"id": 7, "file_name": "1.png", "width": 32, "height": 24}
    annotation = {"id": 1, "image_id": 7, "category_id": 3, "bbox": [8, 6, 8, 12], "segmentation": segmentation}
    document = {"images": [image], "annotations": [annotation], "categories": [{"id": 3, "name": "crack"}]}
    for place, change in changes.items():
        document[place][0].update(change)
    return json.dumps(document)


# by hand after rleToString of maskApi.c: five bits at a time, the sixth for "more", differences from the fourth on
@pytest.mark.parametrize(
    ("runs", "text"),
    [((2, 2, 1, 1), "221O"), ((0, 40), "0X1"), ((16,), "`0"), ((5, 6, 7, 70), "567P2"), ((1000, 1), "Xo01")],
)
def test_coco_packs_runs_as_its_own_code_does(runs: tuple[int, ...], text: str) -> None:
    assert (packed(runs), unpacked(text)) == (text, runs)


@pytest.mark.parametrize("text", ["X", "\x00", "z" * 400, "ä"])
def test_a_damaged_packed_mask_is_refused(text: str) -> None:
    with pytest.raises(DatasetError, match="packed mask"):
        unpacked(text)


def test_coco_boxes_outlines_and_both_kinds_of_runs_are_read(lay: Lay) -> None:
    assert only(lay("annotations/instances_train2017.json", coco([]))).geometry == BOX
    ring = Polygon(outline=((8, 6), (16, 6), (16, 18)))
    outlined = lay("annotations/instances_train2017.json", coco([[8, 6, 16, 6, 16, 18], [0, 0, 1, 0, 1, 1]]))
    geometry = only(outlined).geometry
    assert isinstance(geometry, Polygons)
    assert geometry.parts[0] == ring
    mask = Mask(height=24, width=32, runs=(24, 24, 720))
    for counts in ([24, 24, 720], packed(mask.runs)):
        found = only(lay("annotations/instances_train2017.json", coco({"size": [24, 32], "counts": counts}))).geometry
        assert found == mask
    assert decoded(mask)[:, 1].all()


def test_a_split_is_in_the_name_of_the_coco_file_or_of_its_folder(tmp_path: Path, save: Save) -> None:
    for seed, folder in enumerate(("train", "valid", "test")):
        save(tmp_path / folder / "1.png", seed)
        (tmp_path / folder / "_annotations.coco.json").write_text(coco([]))
    dataset = open_labelled(tmp_path)
    assert [p.path.parent.name for p in dataset.in_split("validation")] == ["valid"]
    assert {p.split for p in dataset.pictures} == {"train", "validation", "test"}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('{"images": ' + "[" * 100_000, "not valid JSON"),
        (coco([], images={"file_name": "../../secret.png"}), r'no picture "\.\./\.\./secret\.png" below'),
        (coco([], images={"width": 64}), "are for 64 x 24"),
        (coco([], annotations={"category_id": 9}), "no category 9"),
        (coco([], annotations={"image_id": 9}), "no image 9"),
        (coco([], annotations={"bbox": [8, 6, -8, 12]}), "is none"),
        (coco([], annotations={"bbox": [8, 6, float("nan"), 12]}), "finite"),
        (coco([], annotations={"bbox": [8, 6, 8]}), "list of 4"),
        (coco([], annotations={"bbox": [800, 6, 8, 8]}), "outside the picture"),
        (coco([[1, 2, 3]]), "come in pairs"),
        (coco([[1, 2, 3, 4]]), "2 points"),
        (coco({"size": [24, 32], "counts": [1, 2]}), "add up to 3"),
        (coco({"size": [32, 24], "counts": [1, 2]}), "24 x 32"),
        (coco({"size": [24, 32], "counts": [10**400, 2]}), "finite"),
        (coco({"size": [24, 32], "counts": "~~"}), "packed mask"),
    ],
)
def test_broken_coco_is_refused_in_one_line(lay: Lay, content: str, says: str) -> None:
    with pytest.raises(DatasetError, match=says) as caught:
        lay("coco.json", content)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def voc(boxes: str, size: str = "<width>32</width><height>24</height>") -> str:
    return f"<annotation><filename>1.png</filename><size>{size}</size>{boxes}</annotation>"


def bound(left: object, top: object, right: object, bottom: object, label: str = "crack") -> str:
    sides = f"<xmin>{left}</xmin><ymin>{top}</ymin><xmax>{right}</xmax><ymax>{bottom}</ymax>"
    return f"<object><name>{label}</name><bndbox>{sides}</bndbox></object>"


def test_voc_counts_from_one_and_includes_the_last_pixel(lay: Lay) -> None:
    assert only(lay("Annotations/1.xml", voc(bound(1, 1, 32, 24)))).geometry == Rectangle(
        left=0, top=0, right=32, bottom=24
    )
    assert only(lay("Annotations/1.xml", voc(bound(9, 7, 16, 18)))).geometry == BOX


def test_voc_pictures_without_an_xml_are_not_taken_for_good(lay: Lay, tmp_path: Path, save: Save) -> None:
    save(tmp_path / "images/2.png", 1)
    dataset = lay("Annotations/1.xml", voc("", size=""))
    assert [(p.path.name, p.label) for p in dataset.pictures] == [("1.png", "good"), ("2.png", None)]


BOMB = '<!DOCTYPE a [<!ENTITY x "aaaaaaaaaa"><!ENTITY y "&x;&x;&x;">]><annotation>&y;</annotation>'
FILE = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotation>&x;</annotation>'


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (BOMB, "document type"),
        (FILE, "document type"),
        ("<annotation>&unknown;</annotation>", "not valid XML"),
        ("<annotation>" * 100 + "</annotation>" * 100, "deep"),
        ("<annotation>", "not valid XML"),
        (voc(bound(1, 1, "many", 24)), "xmax: 'many' is not a number"),
        (voc(bound(1, 1, "inf", 24)), "is not a number"),
        (voc(bound(1, 1, 32, 24, label=" ")), "label is empty"),
        (voc("", size="<width>5</width><height>5</height>"), "are for 5 x 5"),
        (voc("").replace("1.png", "../../3.png"), "no picture"),
    ],
)
def test_hostile_and_broken_xml_is_refused(lay: Lay, content: str, says: str) -> None:
    (lay("Annotations/1.xml", voc("")).root / "Annotations/3.xml").write_text(content)
    with pytest.raises(DatasetError, match=says):
        lay("Annotations/2.xml", voc(""))


YAML = "train: images\nnames: [crack, dent]\n"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("1 0.375 0.5 0.25 0.5", Annotation(label="dent", geometry=BOX)),
        ("1 0.375 0.5 0.25 0.5 0.75", Annotation(label="dent", geometry=BOX, confidence=0.75)),
        (
            "0 0.25 0.25 0.5 0.25 0.5 0.75",
            Annotation(label="crack", geometry=Polygons(parts=(Polygon(outline=((8, 6), (16, 6), (16, 18))),))),
        ),
    ],
    ids=["box", "prediction", "outline"],
)
def test_yolo_lines_are_read(lay: Lay, tmp_path: Path, line: str, expected: Annotation) -> None:
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/1.txt").write_text(line + "\n\n")
    assert only(lay("data.yaml", YAML)) == expected


def test_yolo_without_a_text_file_has_no_defect(lay: Lay) -> None:
    assert [p.label for p in lay("data.yaml", YAML).pictures] == ["good"]


@pytest.mark.parametrize(
    "line", ["2 0.5 0.5 0.1 0.1", "0 0.5", "x 1 1 1 1", "0.5 0 0 1 1", "0 nan 0 1 1", "-1 0 0 1 1"]
)
def test_yolo_lines_that_cannot_be_are_refused_with_their_line(lay: Lay, tmp_path: Path, line: str) -> None:
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/1.txt").write_text(f"0 0.5 0.5 0.1 0.1\n{line}\n")
    with pytest.raises(DatasetError, match=r"1\.txt, line 2"):
        lay("data.yaml", YAML)


def test_yolo_paths_of_another_machine_and_lists_of_pictures_are_found(tmp_path: Path, save: Save) -> None:
    save(tmp_path / "train/images/1.png")
    save(tmp_path / "valid/images/2.png", 1)
    (tmp_path / "val.txt").write_text("./valid/images/2.png\n")
    (tmp_path / "data.yaml").write_text("path: /home/me/set\ntrain: ../train/images\nval: val.txt\nnames:\n- a\n")
    assert [(p.path.name, p.split) for p in open_labelled(tmp_path).pictures] == [
        ("1.png", "train"),
        ("2.png", "validation"),
    ]
    (tmp_path / "val.txt").write_text("/etc/hostname\n")
    with pytest.raises(DatasetError, match="no picture"):
        open_labelled(tmp_path)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("names: [a, b]\n", ("a", "b")),
        ('names: [\'a, x\', "b\\"c",\n  d]  # three\n', ("a, x", 'b"c', "d")),
        ("names:\n  # first\n  0: a\n  1: 'it''s'\n", ("a", "it's")),
        ("names:\n- a # one\n- b\nroboflow:\n  url: http://x\n", ("a", "b")),
        ("names: {0: a, 1: b}\n", ("a", "b")),
        ("names: []\n", ()),
    ],
)
def test_the_names_in_data_yaml_are_read_in_all_forms(tmp_path: Path, text: str, names: tuple[str, ...]) -> None:
    (tmp_path / "data.yaml").write_text(text)
    assert class_names.settings(tmp_path / "data.yaml").names == names


@pytest.mark.parametrize(
    "text",
    [
        *("names: &x [a]\n", "names: *a\n", "names: !!python/object:os.system [a]\n", "names: |\n  a\n"),
        *("names: [a\n", "names: [[a]]\n", "names:\n  1: a\n", "names:\n  0: a\n  0: b\n", "names:\n  a\n"),
        *("nc: 2\n", "x\n"),
    ],
)
def test_other_yaml_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "data.yaml").write_text(text)
    with pytest.raises(DatasetError, match=r"data\.yaml"):
        class_names.settings(tmp_path / "data.yaml")


def test_vertex_rows_as_documented_are_read(tmp_path: Path, save: Save) -> None:
    for seed, name in enumerate(("image1.png", "im2.png", "im3.png")):
        save(tmp_path / name, seed, (100, 200))
    (tmp_path / "import.csv").write_text(
        "TRAIN,gs://folder/image1.png,car,0.1,0.1,,,0.3,0.3,,\n"
        "TRAIN,gs://folder/image1.png,bike,.7,.6,,,.8,.9,,\n"
        "UNASSIGNED,gs://folder/im2.png,car,0.1,0.1,0.2,0.1,0.2,0.3,0.1,0.3\n"
        "TEST,gs://folder/im3.png,,,,,,,,,\n"
    )
    first, second, third = open_labelled(tmp_path).pictures
    assert next((a.label, a.geometry) for a in first.annotations) == (
        "car",
        Rectangle(left=20, top=10, right=60, bottom=30),
    )
    assert len(first.annotations) == 2
    assert second.annotations[0].geometry == Rectangle(left=20, top=10, right=40, bottom=30)
    assert (third.split, third.label) == ("test", "good")


def test_vertex_labels_are_read_from_rows_and_lines(lay: Lay, tmp_path: Path, save: Save) -> None:
    save(tmp_path / "images/2.png", 1)
    rows = lay("import.csv", "validation,gs://b/1.png,crack,dent\ngs://b/2.png\n").pictures
    assert [(p.split, p.labels, p.annotated) for p in rows] == [
        ("validation", ("crack", "dent"), True),
        ("train", (), False),
    ]
    (tmp_path / "import.csv").unlink()
    use = {"aiplatform.googleapis.com/ml_use": "test"}
    line = {"imageGcsUri": "gs://b/1.png", "classificationAnnotation": {"displayName": "OK"}}
    picture = lay("import.jsonl", json.dumps(line | {"dataItemResourceLabels": use})).pictures[0]
    assert (picture.split, picture.label) == ("test", "good")


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("test,gs://b/1.png,crack,0.1,,,,0.3,0.3,,", "1 x and 2 y|2 x and 1 y"),
        ("test,gs://b/1.png,crack,a,0.1,,,0.3,0.3,,", "not a number"),
        ("test,gs://b/9.png,crack", "no picture"),
        ('test,"gs://b/1.png', "not a valid CSV"),
    ],
)
def test_broken_vertex_rows_are_refused(lay: Lay, row: str, says: str) -> None:
    with pytest.raises(DatasetError, match=says):
        lay("import.csv", f"test,gs://b/1.png,crack\n{row}\n")


def test_ground_truth_lines_as_documented_are_read(lay: Lay) -> None:
    boxes = {"image_size": [{"width": 32, "height": 24, "depth": 3}]}
    boxes |= {"annotations": [{"class_id": 1, "top": 6, "left": 8, "width": 8, "height": 12}]}
    told = {"objects": [{"confidence": 0.5}], "class-map": {"0": "Echo", "1": "Echo Dot"}, "human-annotated": "no"}
    told |= {"type": "groundtruth/object-detection", "creation-date": "2013-11-18T02:53:27", "job-name": "my job"}
    line = {"source-ref": "s3://bucket/images/1.png", "bounding-box": boxes, "bounding-box-metadata": told}
    assert only(lay("output.manifest", json.dumps(line))) == Annotation(label="Echo Dot", geometry=BOX, confidence=0.5)


def test_lookouts_class_name_decides_not_its_number(lay: Lay) -> None:
    told = {
        "class-name": "normal",
        "confidence": 1,
        "human-annotated": "yes",
        "type": "groundtruth/image-classification",
    }
    line = {"source-ref": "s3://b/1.png", "anomaly-label": 1, "anomaly-label-metadata": told}
    assert lay("train.manifest", json.dumps(line)).pictures[0].label == "good"
    assert not lay("train.manifest", '{"source-ref": "s3://b/1.png"}').pictures[0].annotated


def test_lookout_masks_with_a_colour_that_has_no_name_are_refused(lay: Lay, tmp_path: Path, save: Save) -> None:
    save(tmp_path / "masks/1_mask.png")
    told = {"internal-color-map": {"1": {"class-name": "crack", "hex-color": "#010101"}}}
    line = {"source-ref": "s3://b/1.png", "anomaly-mask-ref": "s3://b/masks/1_mask.png"}
    line |= {"anomaly-mask-ref-metadata": told | {"type": "groundtruth/semantic-segmentation"}}  # type: ignore[dict-item]
    with pytest.raises(DatasetError, match="colours"):
        lay("train.manifest", json.dumps(line))


def task(kind: str, value: dict[str, Any], **more: Any) -> str:
    result = {"type": kind, "value": value, "original_width": 32, "original_height": 24} | more
    return json.dumps([{"data": {"image": "/data/upload/1/0a1b2c3d-1.png"}, "annotations": [{"result": [result]}]}])


SHARES = {"x": 25, "y": 25, "width": 25, "height": 50, "rotation": 0}


def test_label_studio_regions_are_percent_and_uploads_are_found(lay: Lay) -> None:
    assert only(lay("export.json", task("rectanglelabels", SHARES | {"rectanglelabels": ["crack"]}))).geometry == BOX
    points = {"points": [[25, 25], [50, 25], [50, 75]], "polygonlabels": ["crack"]}
    ring = Polygon(outline=((8, 6), (16, 6), (16, 18)))
    assert only(lay("export.json", task("polygonlabels", points))).geometry == Polygons(parts=(ring,))
    marked = np.zeros((24, 32), np.bool_)
    marked[3:9, 4:20] = True
    brush = {"format": "rle", "rle": list(write_brush(marked)), "brushlabels": ["crack"]}
    assert only(lay("export.json", task("brushlabels", brush))).geometry == encoded(marked)


def test_label_studio_rectangles_turn_about_their_corner(lay: Lay) -> None:
    turned = SHARES | {"rotation": 90, "rectanglelabels": ["crack"]}
    geometry = only(lay("export.json", task("rectanglelabels", turned))).geometry
    assert isinstance(geometry, Polygons)
    assert np.allclose(geometry.parts[0].outline, [(8, 6), (8, 14), (-4, 14), (-4, 6)])


def test_label_studio_takes_the_last_answer_or_the_ground_truth_and_no_prediction(lay: Lay, tmp_path: Path) -> None:
    def answer(label: str, **more: Any) -> dict[str, Any]:
        return {"result": [{"type": "choices", "value": {"choices": [label]}}]} | more

    def label(*answers: dict[str, Any]) -> str | None:
        document = [{"data": {"image": "1.png"}, "annotations": answers, "predictions": [answer("guess")]}]
        return lay("export.json", json.dumps(document)).pictures[0].label

    assert label(answer("dent"), answer("crack")) == "crack"
    assert label(answer("dent", ground_truth=True), answer("crack")) == "dent"
    assert label(answer("dent"), answer("crack", was_cancelled=True)) == "dent"
    assert label() is None


def test_a_brush_is_packed_as_label_studio_does() -> None:
    bits = f"{8:032b}" + f"{7:05b}" + "0010001101111111"  # eight values of 8 bits; lengths of 3, 4, 8, 16
    bits += "10001111111111" + "10001100000000"  # four times 255, four times 0
    expected = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
    assert write_brush(np.array([[True, False]])) == expected
    assert read_brush(expected, 1, 2).tolist() == [[True, False]]


def test_a_brush_of_single_values_is_read_and_a_cut_one_refused() -> None:
    bits = f"{4:032b}" + f"{7:05b}" + "0010001101111111" + "000011" + "00000000" * 3 + "11111111"
    content = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
    assert read_brush(content, 1, 1).all()
    with pytest.raises(DatasetError, match="cut short"):
        read_brush(content[:-3], 1, 1)
    with pytest.raises(DatasetError, match="has 4 values"):
        read_brush(content, 1, 2)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (task("ellipselabels", {"ellipselabels": ["a"]}), "no area"),
        (task("rectanglelabels", SHARES | {"rectanglelabels": []}), "0 labels"),
        (task("rectanglelabels", SHARES | {"rectanglelabels": ["a"]}, image_rotation=90), "turned"),
        (task("rectanglelabels", SHARES | {"rectanglelabels": ["a"]}, original_width=99), "32 x 24"),
        (task("brushlabels", {"rle": [300], "brushlabels": ["a"]}), "no bytes"),
        ('[{"data": {"text": "hello"}}]', "names no picture"),
    ],
)
def test_label_studio_tasks_that_cannot_be_are_refused(lay: Lay, content: str, says: str) -> None:
    with pytest.raises(DatasetError, match=says):
        lay("export.json", content)


def cvat(inner: str) -> str:
    return f'<annotations><image id="0" name="1.png" width="32" height="24">{inner}</image></annotations>'


def test_cvat_shapes_are_read(lay: Lay) -> None:
    box = '<box label="crack" xtl="8" ytl="6" xbr="16" ybr="18"><attribute name="a">b</attribute></box>'
    assert only(lay("annotations.xml", cvat(box))).geometry == BOX
    outlined = only(lay("annotations.xml", cvat('<polygon label="c" points="8,6;16,6;16,18"/>')))
    assert outlined.geometry == Polygons(parts=(Polygon(outline=((8, 6), (16, 6), (16, 18))),))
    mask = only(
        lay("annotations.xml", cvat('<mask label="c" rle="1, 3, 1, 1" left="4" top="2" width="3" height="2"/>'))
    )
    assert isinstance(mask.geometry, Mask)
    assert np.argwhere(decoded(mask.geometry)).tolist() == [[2, 5], [2, 6], [3, 4], [3, 6]]
    assert lay("annotations.xml", cvat('<tag label="normal"/>')).pictures[0].labels == ("good",)


def test_cvat_boxes_turn_about_their_middle(lay: Lay) -> None:
    box = '<box label="c" xtl="8" ytl="6" xbr="16" ybr="18" rotation="90"/>'
    geometry = only(lay("annotations.xml", cvat(box))).geometry
    assert isinstance(geometry, Polygons)
    assert np.allclose(geometry.parts[0].outline, [(18, 8), (18, 16), (6, 16), (6, 8)])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (cvat('<points label="c" points="1,2"/>'), "<points> has no area"),
        (cvat('<box label="c" xtl="8"/>'), 'lacks "ytl"'),
        (cvat('<mask label="c" rle="5, 9" left="4" top="2" width="3" height="2"/>'), "fill its box"),
        (cvat('<mask label="c" rle="1, 5" left="31" top="2" width="3" height="2"/>'), "lie in the picture"),
        ("<annotations><track/></annotations>", "CVAT for images"),
    ],
)
def test_cvat_shapes_that_cannot_be_are_refused(lay: Lay, content: str, says: str) -> None:
    with pytest.raises(DatasetError, match=says):
        lay("annotations.xml", content)


def test_a_name_in_two_places_is_found_by_its_folders_or_refused(lay: Lay, tmp_path: Path, save: Save) -> None:
    save(tmp_path / "other/1.png", 1)
    row = "test,gs://bucket/{}1.png,crack\n"
    assert lay("import.csv", row.format("images/")).pictures[0].path == tmp_path / "images/1.png"
    with pytest.raises(DatasetError, match="may be"):
        lay("import.csv", row.format(""))


def test_folders_of_pictures_side_by_side_are_classes(tmp_path: Path, save: Save) -> None:
    save(tmp_path / "set/crack/1.png")
    save(tmp_path / "set/dent/1.png", 1)
    assert open_labelled(tmp_path / "set").labels == ("crack", "dent")
    save(tmp_path / "set/loose.png", 2)
    assert guessed(tmp_path / "set") is None
    assert open_labelled(tmp_path / "set").labels == ("good",)


def test_what_is_not_there_or_has_no_such_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be opened"):
        open_labelled(tmp_path / "none")
    with pytest.raises(OptionError, match="there is no format"):
        open_labelled(tmp_path, "tfrecord")
    for name in ("coco", "voc", "yolo", "cvat", "label-studio", "ground-truth", "vertex-csv", "vertex-jsonl"):
        with pytest.raises(DatasetError, match="holds no"):
            open_labelled(tmp_path, name)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("coco", "{", "not valid JSON"),
        ("coco", "{}", '"categories" is missing'),
        ("label-studio", '[{"image": "1.png"}]', "holds no JSON with a list of tasks"),
    ],
)
def test_annotations_that_are_not_understood_never_make_pictures_good(
    lay: Lay, tmp_path: Path, name: str, content: str, says: str
) -> None:
    with pytest.raises(DatasetError, match=r"export\.json: may hold annotations"):
        lay("export.json", content)
    with pytest.raises(DatasetError, match=says):
        open_labelled(tmp_path / "export.json" if name == "coco" else tmp_path, name)


def test_files_of_other_programs_do_not_mislead(tmp_path: Path, save: Save) -> None:
    save(tmp_path / "good/1.png")
    save(tmp_path / "crack/1.png", 1)
    for name, content in {
        "settings.json": '{"a": 1}',
        "list.json": "[1, 2]",
        "other.yaml": "a: 1\n",
        "report.csv": "a,b\n1,2\n",
        "broken.xml": "<a",
        "log.jsonl": "{}\n",
    }.items():
        (tmp_path / name).write_text(content)
    assert guessed(tmp_path) == "classes"
