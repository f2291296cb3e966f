"""All formats that are read and written, by name."""

from sightline.datasets.formats import (
    coco,
    cvat,
    ground_truth,
    label_studio,
    plain,
    vertex,
    voc,
    yolo,
)

FORMATS = {
    form.name: form
    for form in (  # in the order in which they are tried on something unknown: those that are surest first
        yolo.YOLO,
        yolo.YOLO_SEGMENT,
        cvat.CVAT,
        label_studio.LABEL_STUDIO,
        coco.COCO,
        ground_truth.GROUND_TRUTH,
        ground_truth.LOOKOUT,
        plain.CSV,
        *vertex.FORMATS,
        voc.VOC,
        plain.MVTEC,
        plain.CLASSES,
    )
}
