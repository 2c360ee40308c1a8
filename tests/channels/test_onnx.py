"""Slim random networks as ONNX Runtime computes them."""

import numpy as np
import onnxruntime
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ganprune.channels import ChannelGraph
from ganprune.pruning.genome import Layout
from ganprune.pruning.rebuild import rebuilt
from tests.channels.networks import UNDERSTOOD, Drawn, programs
from tests.strategies import genomes


@settings(max_examples=6)
@given(data=st.data(), drawn=programs(UNDERSTOOD))
def test_onnx_runtime_computes_what_the_rebuilt_network_does(data: st.DataObject, drawn: Drawn) -> None:
    layout = Layout.of(ChannelGraph.trace(drawn.network, drawn.example))
    slim = rebuilt(drawn.network, layout, data.draw(genomes(layout))).float()
    picture = drawn.pictures[:1].float()
    program = torch.onnx.export(slim, (picture,), dynamo=True, input_names=["input"], verbose=False)
    assert program is not None
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString())
    (found,) = session.run(None, {"input": picture.numpy()})
    torch.testing.assert_close(torch.from_numpy(np.asarray(found)), slim(picture), rtol=1e-3, atol=1e-4)
