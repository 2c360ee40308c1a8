"""One export at any widths is what an export at these widths is, whole and in parts."""

from functools import cache

import numpy as np
import pytest
import torch
from onnx import ModelProto, helper, numpy_helper
from torch import Tensor, nn
from torch.nn import functional as nnf

from ganprune.models.cyclegan import Generator, GeneratorWidths
from ganprune.pruning.genome import Layout
from ganprune.pruning.rebuild import rebuilt
from ganprune_exporters import ExportSettings, chain
from ganprune_exporters.elastic import Elastic, NotElastic, _marks
from tests.tiny import seeded

SETTINGS = ExportSettings(32)
UNEVEN = GeneratorWidths(3, 5, 4, (2, 6, 6), 7, 2)


class Mixed(nn.Module):
    """Depthwise, grouped by a shuffle of pixels, gated, normalised in batches, and concatenated."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Sequential(nn.Conv2d(3, 6, 3, 2, 1), nn.BatchNorm2d(6), nn.PReLU(6))
        self.wide = nn.Sequential(nn.Conv2d(6, 6, 3, padding=1, groups=6), nn.ReLU6(), nn.Conv2d(6, 9, 1))
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(9, 4, 1), nn.ReLU(), nn.Conv2d(4, 9, 1))
        self.rise = nn.Sequential(nn.Conv2d(9, 20, 3, padding=1), nn.PixelShuffle(2))
        self.up = nn.ConvTranspose2d(9, 8, 4, 2, 1)
        self.out = nn.Conv2d(5 + 8 + 3, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.wide(self.enter(x))
        y = y * torch.sigmoid(self.gate(y))
        return torch.tanh(self.out(torch.cat([self.rise(y), nnf.gelu(self.up(y)), x], 1)))


NETWORKS = {"resnet": Generator(UNEVEN).eval(), "mixed": Mixed().eval()}


@cache
def elastic_of(name: str) -> Elastic:
    return Elastic(NETWORKS[name], SETTINGS)


@pytest.fixture(params=NETWORKS)
def elastic(request: pytest.FixtureRequest) -> Elastic:
    return elastic_of(request.param)


def anatomy(model: ModelProto) -> list[tuple[object, ...]]:
    """Operators in order: attributes, and where each input comes from, whatever things are called.

    An input is told by the node that makes it, weights by their shape, whole numbers by their values.
    """
    known: dict[str, object] = {"": None, **{value.name: value.name for value in model.graph.input}}
    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor)
        known[tensor.name] = array.tolist() if array.dtype == np.int64 else array.shape
    found: list[tuple[object, ...]] = []
    for i, node in enumerate(model.graph.node):
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        found.append((node.op_type, attributes, [known[name] for name in node.input]))
        known |= dict.fromkeys(node.output, i)
    return found


@pytest.mark.parametrize("name", NETWORKS)
def test_at_other_widths_it_is_the_graph_that_is_exported_there(name: str) -> None:
    network, elastic = NETWORKS[name], elastic_of(name)
    layout = Layout.of(network)
    genome = torch.rand(layout.length, generator=seeded(3)) < 0.6
    genome[[piece.start for piece in layout.genes.values()]] = True
    exported, _ = chain.plain(rebuilt(network, layout, genome), SETTINGS)
    found = elastic.model(layout.gene_counts(genome[None]).numpy()[0])
    assert anatomy(found) == anatomy(exported)
    sizes = [[str(end.type) for end in (*m.graph.input, *m.graph.output)] for m in (found, exported)]
    assert sizes[0] == sizes[1]


def test_parts_hold_a_convolution_each_and_together_all_of_the_graph(elastic: Elastic) -> None:
    whole = elastic.model(elastic.sizes)
    parts = [elastic.model(elastic.sizes, part) for part in elastic.parts]
    nodes = [node for part in parts for node in part.graph.node]
    assert sorted(node.output[0] for node in nodes) == sorted(node.output[0] for node in whole.graph.node)
    for part, model in zip(elastic.parts, parts, strict=True):
        (conv,) = [node for node in model.graph.node if node.op_type.startswith("Conv")]
        (weight,) = [t.dims for t in model.graph.initializer if t.name == conv.input[1]]
        filters = weight[1] if conv.op_type == "ConvTranspose" else weight[0]
        assert filters == part.filters @ np.append(elastic.sizes, 1)
    assert [part.ends for part in elastic.parts] == [False] * (len(parts) - 1) + [True]


def test_a_part_has_the_inputs_and_filters_that_are_asked_for(elastic: Elastic) -> None:
    for part in elastic.parts:
        for inputs, filters in ((17, 20), (40, 4)):
            counts = np.append(elastic.counts(part, inputs, filters), 1)
            if part.reads.any():
                assert part.inputs @ counts == inputs
            if part.filters[:-1].any():
                assert part.filters @ counts == filters
            elastic.model(counts[:-1], part)  # its shapes are inferred, strictly


def test_layers_that_differ_in_widths_alone_are_of_one_kind() -> None:
    elastic = elastic_of("resnet")
    kinds = [part.kind for part in elastic.parts]
    assert len(set(kinds)) == 8
    assert kinds[3] == kinds[5] == kinds[7]
    assert kinds[4] == kinds[6] == kinds[8]
    assert elastic.reach(kinds[3]) == (4, 6)
    assert elastic.reach(kinds[4]) == (6, 4)


def test_padding_and_concatenations_belong_to_the_next_convolution() -> None:
    for name, last in (("resnet", ["Pad", "Conv", "Tanh"]), ("mixed", ["Concat", "Conv", "Tanh"])):
        elastic = elastic_of(name)
        assert [n.op_type for n in elastic.model(elastic.sizes, elastic.parts[-1]).graph.node] == last


def test_groups_are_told_apart_by_as_few_exports_as_can_be() -> None:
    for sizes, exports in (([64, 128, 256, 256], 1), ([4] * 8, 2), ([3, 3, 2, 1], 1), ([2, 2], 3)):
        marks = [*_marks(np.array(sizes))]
        assert len(marks) == exports
        assert all((mark >= 1).all() and (mark <= sizes).all() for mark in marks)
        told = {*zip(sizes, *(mark.tolist() for mark in marks), strict=True)}
        assert len(told) == len(sizes) or sizes == [2, 2]


class Branching(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.enter, self.out = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.enter(x)
        return self.out(y if y.shape[1] < 8 else y.relu())


def test_a_network_that_is_another_graph_at_other_widths_is_refused() -> None:
    with pytest.raises(NotElastic, match="slim networks are exported with other operators"):
        Elastic(Branching(), SETTINGS)
