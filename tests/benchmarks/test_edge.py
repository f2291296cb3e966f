"""What the table of exports compares."""

import edge


def test_every_format_is_compared_with_onnx_and_in_8_bits_where_there_is_such() -> None:
    assert list(edge.configs(["tensorrt", "openvino"])) == [
        "onnx",
        "onnx int8",
        "tensorrt",
        "openvino",
        "openvino int8",
    ]
