"""ThiNet against numbers worked out by hand, against PyTorch and against a plain loop."""

import copy

import pytest
import torch
from torch import Tensor, nn

from ganprune.baselines.allocation import uniform_counts
from ganprune.baselines.subject import readers
from ganprune.baselines.thinet import contributions, greedy, products, scaling, thinet
from ganprune.models.cyclegan import Generator, resnet_widths
from ganprune.pruning.genome import Layout
from ganprune.pruning.rebuild import rebuilt
from tests.baselines.kit import generator_of, subject_of
from tests.resnet_convs import generator_convs
from tests.tiny import random_pictures, seeded


def test_channels_are_dropped_by_what_their_sum_leaves() -> None:
    # Two entries of three channels: x̂ = (1, -1, 0.9) and (1, -1, 0.9).
    # Alone: Σ x̂² is 2, 2 and 1.62, so channel 2 goes first.
    # With it: channel 0 leaves 2 · 1.9² = 7.22, channel 1 leaves 2 · (-0.1)² = 0.02, so channel 1 is next,
    # though alone it is worth as much as channel 0.
    x = torch.tensor([[1, -1, 0.9], [1, -1, 0.9]], dtype=torch.float64)
    gram = x.T @ x
    assert greedy(gram, 0).tolist() == []
    assert greedy(gram, 1).tolist() == [2]
    assert greedy(gram, 2).tolist() == [2, 1]
    # y = 1 - 1 + 0.9 = 0.9 in both entries; channel 0 alone gives it with a factor of 0.9.
    assert scaling(gram, torch.tensor([True, False, False])).tolist() == pytest.approx([0.9, 1, 1])


def test_scaling_is_least_squares() -> None:
    # x̂ = (1, 0, 1), (0, 1, 1), (0, 0, 0); y = 2, 2, 0. Without channel 2: 1 · w0 = 2 and 1 · w1 = 2.
    x = torch.tensor([[1, 0, 1], [0, 1, 1], [0, 0, 0]], dtype=torch.float64)
    assert scaling(x.T @ x, torch.tensor([True, True, False])).tolist() == pytest.approx([2, 2, 1])
    many = torch.randn(50, 6, generator=seeded(0), dtype=torch.float64)
    kept = torch.tensor([True, False, True, True, False, True])
    expected = torch.linalg.lstsq(many[:, kept], many.sum(1)).solution
    assert torch.allclose(scaling(many.T @ many, kept)[kept], expected)


def test_greedy_is_the_plain_loop_of_the_paper() -> None:
    x = torch.randn(40, 9, generator=seeded(3), dtype=torch.float64)
    dropped: list[int] = []
    for _ in range(6):
        left = [c for c in range(9) if c not in dropped]
        dropped.append(min(left, key=lambda c: float(x[:, [*dropped, c]].sum(1).square().sum())))
    assert greedy(x.T @ x, 6).tolist() == dropped


@pytest.mark.parametrize(
    "conv",
    [
        nn.Conv2d(5, 4, 3),
        nn.Conv2d(5, 4, 3, stride=2, padding=1),
        nn.Conv2d(5, 4, 7),
        nn.ConvTranspose2d(5, 4, 3, stride=2, padding=1, output_padding=1),
    ],
)
def test_contributions_sum_up_to_entries_of_the_output(conv: nn.Conv2d | nn.ConvTranspose2d) -> None:
    conv = conv.double().requires_grad_(False)
    x = random_pictures(1, 5, 8, 10)
    rows = contributions(conv, x, 60, seeded(1))
    assert rows.shape == (60, 5)
    y = conv(x)
    assert conv.bias is not None
    entries = (y - conv.bias[:, None, None]).flatten()
    nearest = (rows.sum(1)[:, None] - entries).abs().min(1)
    assert nearest.values.max() < 1e-9
    assert len(nearest.indices.unique()) > 25  # from all over the map
    # One channel alone is what the convolution makes of it.
    alone = torch.zeros_like(x)
    alone[:, 2] = x[:, 2]
    entries = (conv(alone) - conv.bias[:, None, None]).flatten()[nearest.indices]
    assert torch.allclose(rows[:, 2], entries)


def test_products_add_up_over_pictures() -> None:
    net = generator_of(resnet_widths(4, 1))
    convs = readers(Layout.of(net), "trunk")
    x = random_pictures(3, 3, 16, 16)
    whole = products(net, convs, x, 20, seeded(0))
    chance = seeded(0)
    parts = [products(net, convs, one, 20, chance) for one in x.split(1)]
    assert len(whole) == 2  # the block and the transposed convolution
    for i, gram in enumerate(whole):
        assert torch.allclose(gram, sum(part[i] for part in parts))  # pyright: ignore
        assert gram.shape == (16, 16)


def test_channels_that_nothing_reads_are_dropped_for_free() -> None:
    net = generator_of(resnet_widths(8, 2))
    state = net.state_dict()
    layout = Layout.of(net)
    alive = torch.zeros(layout.length, dtype=torch.bool)
    for piece in layout.genes.values():
        alive[piece.start : piece.start + (piece.stop - piece.start) // 2] = True
    for conv in generator_convs(2):
        if conv.source is not None:
            unread = ~alive[layout.genes[conv.source]]
            weight = state[f"{conv.key}.weight"]
            (weight if conv.transposed else weight.transpose(0, 1))[unread] = 0
    half = rebuilt(net, layout, alive)
    share = sum(p.numel() for p in half.parameters()) / sum(p.numel() for p in net.parameters())
    subject = subject_of(net, target=0.28)
    pruned = thinet(subject, samples=64)
    assert share < 0.3
    used = layout.gene_counts(pruned.genome[None])[0]
    wanted = torch.minimum(used, layout.gene_counts(alive[None])[0])
    assert torch.equal(layout.gene_counts((pruned.genome & alive)[None])[0], wanted)


def _rows(net: Generator, key: str, pictures: Tensor, dead: Tensor, chance: torch.Generator) -> Tensor:
    """x̂ of one picture's entries of a convolution, where the filters ``dead`` of it are zero."""
    conv = copy.deepcopy(net.get_submodule(key))
    filters = conv.weight.transpose(0, 1) if isinstance(conv, nn.ConvTranspose2d) else conv.weight
    filters[dead] = 0  # pyright: ignore[reportIndexIssue]
    seen: list[Tensor] = []
    handle = net.get_submodule(key).register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    net(pictures)
    handle.remove()
    return contributions(conv, seen[0], 64, chance)


def test_thinet_is_the_plain_loop_of_the_paper() -> None:
    net = generator_of(resnet_widths(4, 1))
    net.get_parameter("model.11.weight").mul_(8)  # Σ y² of the transposed convolution, 64 times the block's
    pruned = thinet(subject_of(net, target=0.4), samples=64)

    subject = subject_of(net, target=0.4)  # from here on by hand, with the same random numbers
    layout, convs = subject.layout, generator_convs(1)
    counts = dict(zip(layout.genes, uniform_counts(subject.repairer, subject.chance).tolist(), strict=True))
    network, kept, factors = copy.deepcopy(net), layout.full(), dict[str, Tensor]()
    norms = {conv.norm_key: layout.genes[conv.target] for conv in convs if conv.norm_key and conv.target}
    for norm, piece in norms.items():  # behind the norms, channels dropped so far are 0
        network.get_submodule(norm).register_forward_hook(
            lambda _, __, output, piece=piece: output * kept[piece][:, None, None]  # pyright: ignore
        )
    for gene, piece in layout.genes.items():
        readers = [conv for conv in convs if conv.source == gene]
        rows: dict[str, list[Tensor]] = {conv.key: [] for conv in readers}
        for picture in subject.pictures.split(1):
            for conv in readers:
                dead = ~kept[layout.genes[conv.target]] if conv.target else torch.zeros(3, dtype=torch.bool)
                rows[conv.key].append(_rows(network, conv.key, picture, dead, subject.chance))
        parts = {key: torch.cat(found) for key, found in rows.items()}  # [entries, channels] of each reader
        dropped: list[int] = []
        while len(dropped) < piece.stop - piece.start - counts[gene]:
            left = [c for c in range(piece.stop - piece.start) if c not in dropped]

            def error(c: int) -> float:
                """Σ over readers of Σ (Σ_T x̂)² / Σ y²."""
                return sum(
                    float(x[:, [*dropped, c]].sum(1).square().sum() / x.sum(1).square().sum())  # noqa: B023
                    for x in parts.values()  # noqa: B023
                )

            dropped.append(min(left, key=error))
        kept[piece.start + torch.tensor(dropped, dtype=torch.int64)] = False
        for conv in readers:
            x, weight = parts[conv.key], network.get_parameter(f"{conv.key}.weight")
            w = torch.linalg.lstsq(x[:, kept[piece]], x.sum(1)[:, None], driver="gelsd").solution[:, 0]
            (weight if conv.transposed else weight.transpose(0, 1))[kept[piece]] *= w[:, None, None, None]
            factors[conv.key] = w

    assert torch.equal(pruned.genome, kept)
    one, other = (factors[conv.key] for conv in convs if conv.source == "trunk")
    assert (one - other).abs().max() > 0.05  # each has factors of its own
    expected = rebuilt(network, layout, kept).state_dict()
    for key, value in pruned.network.state_dict().items():
        torch.testing.assert_close(value, expected[key], rtol=1e-6, atol=1e-9)


def test_scaling_brings_the_next_layer_nearer() -> None:
    net = generator_of(resnet_widths(8, 2))
    subject = subject_of(net, target=0.6)
    pruned = thinet(subject, samples=2000)
    plain = rebuilt(net, subject.layout, pruned.genome)
    # The layer that reads the first one: before the norm, less its bias.
    kept = subject.layout.kept(pruned.genome)["down"]
    inside = {"whole": net, "scaled": pruned.network, "plain": plain}
    y = {name: g.model[:5](subject.pictures) - g.model[4].bias[:, None, None]  # pyright: ignore
         for name, g in inside.items()}  # fmt: skip
    error = {name: float((y[name] - y["whole"][:, kept]).square().mean()) for name in ("scaled", "plain")}
    assert error["scaled"] < error["plain"]
