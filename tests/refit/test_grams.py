"""The original's Gram matrices: refits from them, and costs of doing without filters, against brute force."""

import pytest
import torch
from torch import Tensor, nn

from ganprune.channels import graph_of
from ganprune.models.cyclegan import NORMS, Generator, Norm
from ganprune.pruning.genome import Layout
from ganprune.pruning.rebuild import rebuilt
from ganprune.refit import RefitSettings, as_scores, grams, refitted, refitted_from, removals
from ganprune.refit.moments import ridged
from ganprune.refit.patches import matrix
from tests.refit.test_sequence import network, some_pictures
from tests.resnet_convs import generator_convs
from tests.tiny import random_genomes

ALL = RefitSettings(positions=1 << 20)


@pytest.mark.parametrize("norm", NORMS)
def test_the_first_layer_that_lacks_inputs_is_refitted_as_in_sequence(norm: Norm):
    """Up to there the slim network's maps are the original's, so both ways must come to the same weights."""
    x = some_pictures(4)
    net = network(norm)
    layout = Layout.of(net)
    genome = layout.full()
    genome[layout.genes["stem"].start] = False
    in_order = refitted(rebuilt(net, layout, genome), net, layout.units(genome), x, ALL)
    at_once = refitted_from(grams(net, graph_of(net), x, ALL), net, layout, genome)
    for name in ("model.1", "model.4"):
        one, other = (found.get_parameter(f"{name}.weight") for found in (at_once, in_order))
        torch.testing.assert_close(one, other, rtol=1e-2, atol=3e-3)


def test_a_genome_of_all_filters_gives_the_original_back():
    net = network("affine-instance")
    layout = Layout.of(net)
    same = refitted_from(grams(net, graph_of(net), some_pictures(2)), net, layout, layout.full())
    for name, tensor in same.state_dict().items():
        torch.testing.assert_close(tensor, net.state_dict()[name])


@pytest.mark.parametrize("norm", ["instance", "none"])
def test_a_refit_from_grams_is_the_best_fit_of_the_layer_that_lost_inputs(norm: Norm):
    net, x = network(norm), some_pictures(4)
    layout, found = Layout.of(net), grams(net, graph_of(net), x, ALL)
    genome = random_genomes(layout, 1, 3)[0]
    slim = refitted_from(found, net, layout, genome, ridge=1e-5)
    kept = layout.kept(genome)
    for conv in generator_convs(2):
        module, whole = slim.get_submodule(conv.key), net.get_submodule(conv.key)
        assert isinstance(module, nn.Conv2d | nn.ConvTranspose2d)
        assert isinstance(whole, nn.Conv2d | nn.ConvTranspose2d)
        W = matrix(whole).double()[slice(None) if conv.target is None else kept[conv.target]]
        k = conv.kernel**2
        inputs = torch.arange(W.shape[1] // k) if conv.source is None else kept[conv.source]
        columns = (inputs[:, None] * k + torch.arange(k)).flatten()
        A = found[conv.key].A.double()

        def error(V: Tensor, A: Tensor = A, W: Tensor = W, columns: Tensor = columns) -> float:
            E = W.clone()
            E[:, columns] -= V
            return float(torch.einsum("od,de,oe->", E, A, E))

        V = matrix(module).double()
        best = W @ A[:, columns] @ torch.linalg.pinv(A[columns][:, columns], hermitian=True, rtol=1e-7)
        strength = 1e-5 * A[columns][:, columns].diagonal().mean()
        assert error(V) <= error(best) + float(strength * (best - W[:, columns]).square().sum()) * 1.01 + 1e-9


def test_taking_filters_away_costs_what_the_refitted_reader_cannot_say_any_more():
    """The cost while n filters are kept, against the explicit fit of their readers to those that are left."""
    net, x = network("instance"), some_pictures(4)
    layout, found = Layout.of(net), grams(net, graph_of(net), x, ALL)
    gone = removals(net, layout, found, ridge=1e-6)

    def cost(name: str, left: Tensor, of: int) -> float:
        conv, gram = net.get_submodule(name), found[name]
        assert isinstance(conv, nn.Conv2d | nn.ConvTranspose2d)
        A, W = ridged(gram.A.double(), 1e-6), matrix(conv).double()
        k = W.shape[1] // of
        columns = (left[:, None] * k + torch.arange(k)).flatten()
        E = W.clone()
        E[:, columns] -= W @ A[:, columns] @ torch.linalg.inv(A[columns][:, columns])
        return float((torch.einsum("od,de,oe->o", E, A, E) * gram.sensitivity).sum())

    for gene, readers in {
        "up2": ["model.19"], "inner1": ["model.11.conv_block.5"], "stem": ["model.4"],
        "trunk": ["model.10.conv_block.1", "model.11.conv_block.1", "model.12"],
    }.items():  # fmt: skip
        order = gone[gene].order
        assert sorted(order.tolist()) == list(range(len(order)))
        for kept in range(0 if gene in layout.blocks else 1, len(order)):
            wanted = sum(cost(name, order[len(order) - kept :], len(order)) for name in readers)
            assert float(gone[gene].costs[kept]) == pytest.approx(wanted, rel=0.02)


def test_what_it_costs_to_take_a_block_out_is_measured_where_there_are_pictures():
    net, x = network("affine-instance"), some_pictures(6)
    layout, found = Layout.of(net), grams(net, graph_of(net), x, ALL)
    predicted, measured = removals(net, layout, found), removals(net, layout, found, pictures=x)
    for gene, removal in measured.items():
        assert torch.equal(removal.order, predicted[gene].order)
        assert torch.equal(removal.costs[1:], predicted[gene].costs[1:])
    genome = layout.full()
    genome[layout.genes["inner1"]] = False
    slim = rebuilt(net, layout, genome)
    error = sum(float((slim(one) - net(one)).square().sum()) for one in x[:4]) / 4
    assert float(measured["inner1"].costs[0]) == pytest.approx(error, rel=1e-5)


@pytest.mark.parametrize("norm", NORMS)
def test_both_refits_make_up_for_a_block_that_is_taken_out(norm: Norm):
    x = some_pictures(4)
    net = network(norm)
    layout = Layout.of(net)
    genome = layout.full()
    genome[layout.genes["inner0"]] = False
    cut = rebuilt(net, layout, genome)
    in_order = refitted(cut, net, layout.units(genome), x, ALL)
    at_once = refitted_from(grams(net, graph_of(net), x, ALL), net, layout, genome)

    def error(candidate: nn.Module) -> float:
        return sum(float((candidate(one) - net(one)).square().mean()) for one in x)

    assert error(in_order) < error(cut)
    assert at_once.state_dict().keys() == cut.state_dict().keys()
    assert error(at_once) <= error(cut) * (1 + 1e-5)  # all that is left has all its inputs


def test_costs_grow_as_filters_go_and_scores_are_the_order_of_going():
    net = network("affine-instance")
    layout = Layout.of(net, "shared")
    gone = removals(net, layout, grams(net, graph_of(net), some_pictures(2), ALL))
    scores = as_scores(gone)
    assert scores.shape == (layout.length,)
    for gene, piece in layout.genes.items():
        costs = gone[gene].costs
        assert costs[0] == float("inf")
        assert costs[-1] == 0
        assert (costs[1:].diff() <= 0).all()
        assert scores[piece].argsort().tolist() == gone[gene].order.tolist()


def test_a_filter_that_nothing_reads_goes_first():
    net = network("instance")
    with torch.no_grad():
        net.get_parameter("model.4.weight")[:, 2] = 0
    layout = Layout.of(net)
    assert removals(net, layout, grams(net, graph_of(net), some_pictures(2)))["stem"].order[0] == 2


def test_sensitivity_is_the_squared_jacobian_of_the_picture():
    """Of the last layer it is known: the square of tanh's slope."""
    net, x = network("instance"), some_pictures(1)
    found = grams(net, graph_of(net), x, ALL)["model.19"]
    out = net(x[0])
    slope = (
        (1 - out.square()).square()[0].flatten(1).sum(1)
    )  # tanh' squared: y of the last layer is before tanh
    torch.testing.assert_close(found.sensitivity, slope.double(), rtol=1e-4, atol=1e-6)


def test_grams_say_what_they_need():
    with pytest.raises(ValueError, match="need at least one picture"):
        grams(network("instance"), graph_of(network("instance")), [])


def test_gram_pass_leaves_the_network_as_it_was():
    net = network("instance")
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    grams(net, graph_of(net), some_pictures(1))
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters())
    assert isinstance(net, Generator)


def test_whatever_runs_the_original_does_so_with_the_same_bits_every_time():
    """On CUDA convolutions have other algorithms by default, and less than float32."""
    found = list[tuple[bool, bool]]()

    class Watching(nn.Identity):
        def forward(self, input: Tensor) -> Tensor:
            found.append((torch.backends.cudnn.deterministic, torch.backends.cudnn.allow_tf32))
            return input

    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), Watching(), nn.Conv2d(4, 3, 3))
    layout, x = Layout.of(net.requires_grad_(False)), some_pictures(2)
    del found[:]
    removals(net, layout, grams(net, layout.graph, x), pictures=x)
    refitted(net, net, layout.units(layout.full()), x)
    assert {*found} == {(True, False)}
