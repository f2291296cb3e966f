"""FastFlow: the flow can be undone, its log-determinant is that of its Jacobian, and the graph says what torch says."""

import numpy as np
import pytest

from sightline.errors import OptionError
from sightline.models.backbone import Backbone
from sightline.models.features import FeatureConfig, fit_features
from sightline.models.graph import GraphBuilder, open_session
from sightline.records import Frame

torch = pytest.importorskip("torch", reason="the extra [train] is not installed")

from sightline.models import fastflow  # noqa: E402  # it imports torch
from sightline.models.fastflow import Flow  # noqa: E402
from sightline.models.gradient import GradientConfig, append_planes, append_standardised, exported, seeded  # noqa: E402

SMALL = FeatureConfig(height=64, width=96, dimensions=8)


def drawn_flow(channels: int, couplings: int = 4) -> Flow:
    """In float64, with weights that are not zero."""
    with seeded(1):
        flow = Flow(channels, couplings).double()
        for weights in flow.parameters():
            torch.nn.init.normal_(weights, std=0.2)
    return flow.eval()


@pytest.mark.parametrize("channels", [2, 5])
def test_the_flow_can_be_undone(channels: int) -> None:
    flow = drawn_flow(channels)
    flow.float()
    x = torch.randn(2, channels, 3, 4, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        z, _ = flow.transformed(x)
        assert not torch.allclose(z, x, atol=0.1)
        torch.testing.assert_close(flow.inverse(z), x, atol=1e-4, rtol=1e-4)


def test_the_log_determinant_is_that_of_the_jacobian() -> None:
    flow = drawn_flow(4).float()
    x = torch.randn(1, 4, 2, 3, generator=torch.Generator().manual_seed(3))
    jacobian = torch.autograd.functional.jacobian(lambda v: flow.transformed(v)[0].flatten(), x).reshape(24, 24)
    with torch.inference_mode():
        total = flow.transformed(x)[1].sum()
    assert abs(float(total)) > 0.1
    torch.testing.assert_close(torch.linalg.slogdet(jacobian.double())[1].float(), total, atol=1e-3, rtol=1e-3)


def test_a_flow_that_has_learnt_nothing_says_half_the_mean_square() -> None:
    with seeded(0):
        flow = Flow(6)
    x = torch.randn(1, 6, 2, 2, generator=torch.Generator().manual_seed(4))
    with torch.inference_mode():
        torch.testing.assert_close(flow(x), 0.5 * x.square().mean(1, keepdim=True), atol=1e-5, rtol=1e-5)


def test_the_graph_gives_the_likelihood_that_torch_gives(patchy: Backbone, parts: list[Frame]) -> None:
    features = fit_features(parts, patchy, SMALL)
    flow = drawn_flow(8).float()
    patches = next(features.extract(parts, [0]))
    mean, spread = np.linspace(-0.1, 0.1, 8, dtype=np.float32), np.linspace(1, 2, 8, dtype=np.float32)
    builder = GraphBuilder()
    planes = append_standardised(builder, append_planes(builder, "patches", 8, features.grid), mean, spread)
    (found,) = builder.splice(exported(flow, (1, 8, *features.grid), ["unlikelihood"]), planes)
    builder.rename(found, "found")
    session = open_session(builder.build([("patches", 1, patches.shape)], [("found", (1, 1, *features.grid))]))
    x = ((patches - mean) / spread).T.reshape(1, 8, *features.grid)
    with torch.inference_mode():
        expected = flow(torch.from_numpy(np.ascontiguousarray(x))).numpy()
    np.testing.assert_allclose(session.run(["found"], {"patches": patches})[0], expected, rtol=1e-4, atol=1e-4)


def test_one_dimension_is_refused(patchy: Backbone, parts: list[Frame]) -> None:
    with pytest.raises(OptionError, match="1 dimension cannot be split"):
        fastflow.fit(parts, patchy, FeatureConfig(height=64, width=96, dimensions=1), GradientConfig(steps=1))
