import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ganprune.channels import ChannelGraph
from ganprune.genome import Layout
from ganprune.rebuild import masked, rebuilt
from tests.channels.networks import UNDERSTOOD, Drawn, programs
from tests.strategies import genomes


@settings(max_examples=30)
@given(data=st.data(), drawn=programs())
def test_a_rebuilt_network_equals_the_masked_one(data: st.DataObject, drawn: Drawn) -> None:
    layout = Layout.of(ChannelGraph.trace(drawn.network, drawn.example))
    genome = data.draw(genomes(layout))
    slim, dense = rebuilt(drawn.network, layout, genome), masked(drawn.network, layout, genome)
    torch.testing.assert_close(slim(drawn.pictures), dense(drawn.pictures), atol=1e-9, rtol=1e-9)
