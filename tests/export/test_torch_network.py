"""A graph as a torch module says what ONNX Runtime says."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from sightline.errors import OptionError
from sightline.export.fixed_size import fixed_size
from sightline.models.graph import open_session

torch = pytest.importorskip("torch", reason="torch, of the extra [train], is not here")


@pytest.mark.parametrize("name", ["floating", "shipped"])
def test_it_computes_what_the_graph_computes(name: str, request: pytest.FixtureRequest) -> None:
    from sightline.export.torch_network import TorchNetwork

    cut = fixed_size(request.getfixturevalue(name), None, "a test")
    image = np.random.default_rng(0).integers(0, 256, (cut.height, cut.width, 3), np.uint8)
    expected = open_session(cut.graph).run(["score", "map"], {"image": image})
    with torch.no_grad():
        score, values = TorchNetwork(cut.graph).eval()(torch.from_numpy(image))
    # the shipped backbone rounds to 8 bits, and a value that lies between two levels may take the other one
    tolerance = 1e-4 if name == "floating" else 0.02
    assert score.item() == pytest.approx(expected[0].item(), rel=tolerance)
    np.testing.assert_allclose(values.numpy(), expected[1], rtol=2 * tolerance)


def test_an_operator_that_is_not_known_is_told() -> None:
    from sightline.export.torch_network import TorchNetwork

    port = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1])
    model = helper.make_model(helper.make_graph([helper.make_node("Erf", ["image"], ["y"])], "g", [port], []))
    with pytest.raises(OptionError, match="operator Erf, which cannot be converted"):
        TorchNetwork(onnx.ModelProto.FromString(model.SerializeToString()))
