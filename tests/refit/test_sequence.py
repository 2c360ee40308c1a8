"""A slim network refitted on its own maps, against least squares on explicit matrices of patches."""

import itertools
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d

from ganprune.errors import UsageError
from ganprune.models.cyclegan import NORMS, Generator, Norm, resnet_widths
from ganprune.pruning.genome import Layout
from ganprune.pruning.rebuild import rebuilt
from ganprune.refit import RefitSettings, refitted
from ganprune.refit.moments import RIDGE
from ganprune.refit.patches import Convolution, matrix, patches, put_matrix
from tests.resnet_convs import generator_convs
from tests.tiny import fill, random_genomes, random_pictures

ALL = RefitSettings(positions=1 << 20, ridge=1e-6)


def batch_norms(net: nn.Module) -> dict[nn.BatchNorm2d, tuple[Tensor, Tensor]]:
    """Those with running statistics, and these: mean and variance."""
    return {
        m: (m.running_mean, m.running_var)
        for m in net.modules()
        if isinstance(m, nn.BatchNorm2d) and m.running_mean is not None and m.running_var is not None
    }


@torch.no_grad()
def settle(net: nn.Module, pictures: Tensor) -> None:
    """Make its batch norms' statistics those of what it makes of the pictures."""

    def take(norm: nn.Module, inputs: tuple[Tensor]) -> None:
        assert isinstance(norm, nn.BatchNorm2d)
        norm.running_mean, norm.running_var = inputs[0].mean((0, 2, 3)), inputs[0].var((0, 2, 3))

    hooks = [norm.register_forward_pre_hook(take) for norm in batch_norms(net.eval())]
    net(pictures)
    for hook in hooks:
        hook.remove()


def network(norm: Norm, seed: int = 0) -> Generator:
    net = Generator(resnet_widths(4, 2), norm)
    fill(net, seed)
    settle(net, torch.cat(list(some_pictures(4, seed))))
    return net.requires_grad_(False).eval()


def cut(net: Generator, seed: int = 0) -> tuple[Generator, Tensor, dict[str, tuple[Tensor, Tensor]]]:
    """A slim network, the units that it keeps, and of each convolution its inputs and filters."""
    layout = Layout.of(net)
    genome = random_genomes(layout, 1, seed)[0]
    kept, every = layout.kept(genome), torch.arange(3)
    left = {c.key: (kept.get(c.source or "", every), kept.get(c.target or "", every))
            for c in generator_convs(2)}  # fmt: skip
    return rebuilt(net, layout, genome), layout.units(genome), left


def whole(net: nn.Module) -> Tensor:
    layout = Layout.of(net)
    return layout.units(layout.full())


def some_pictures(n: int, seed: int = 0) -> list[Tensor]:
    return list(random_pictures(n, 3, 20, 24, seed=seed, dtype=torch.float32).split(1))


@given(
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.integers(1, 3),
    padding=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    seed=st.integers(0, 99),
)
def test_a_convolution_is_its_matrix_times_its_patches(
    kernel: tuple[int, int], stride: int, padding: tuple[int, int], seed: int
):
    conv = nn.Conv2d(3, 5, kernel, stride, padding).double()
    fill(conv, seed)
    x = random_pictures(3, 7, 9, seed=seed)
    y = conv2d(x[None], conv.weight, None, stride, padding)[0].flatten(1)
    torch.testing.assert_close(matrix(conv) @ patches(conv, x, torch.arange(y.shape[1])), y)


@given(kernel=st.integers(1, 4), stride=st.integers(1, 3), data=st.data(), seed=st.integers(0, 99))
def test_a_transposed_convolution_is_one_of_stuffed_maps(
    kernel: int, stride: int, data: st.DataObject, seed: int
):
    padding = data.draw(st.integers(0, kernel - 1))
    extra = data.draw(st.integers(0, stride - 1))
    conv = nn.ConvTranspose2d(3, 5, kernel, stride, padding, extra).double()
    fill(conv, seed)
    x = random_pictures(3, 5, 6, seed=seed)
    y = conv_transpose2d(x[None], conv.weight, None, stride, padding, extra)[0].flatten(1)
    torch.testing.assert_close(matrix(conv) @ patches(conv, x, torch.arange(y.shape[1])), y)
    twin = nn.ConvTranspose2d(3, 5, kernel, stride, padding, extra).double()
    put_matrix(twin, matrix(conv))
    assert torch.equal(twin.weight, conv.weight)


@pytest.mark.parametrize("norm", NORMS)
def test_with_all_filters_kept_a_refit_changes_nothing(norm: Norm):
    net, x = network(norm), some_pictures(3)
    same = refitted(net, net, whole(net), x)
    for name, tensor in same.state_dict().items():
        torch.testing.assert_close(tensor, net.state_dict()[name], rtol=1e-2, atol=3e-3)
    for picture in x:
        torch.testing.assert_close(same(picture), net(picture), rtol=1e-3, atol=2e-3)


def test_convolutions_that_reflect_borders_are_refitted_on_what_they_see():
    def conv(inputs: int, filters: int) -> nn.Conv2d:
        return nn.Conv2d(inputs, filters, 3, padding=1, padding_mode="reflect")

    net = nn.Sequential(conv(3, 5), nn.InstanceNorm2d(5), nn.ReLU(), conv(5, 3))
    fill(net, 3)
    x = some_pictures(3)
    same = refitted(net, net, whole(net), x)
    for name, tensor in same.state_dict().items():
        torch.testing.assert_close(tensor, net.state_dict()[name], rtol=1e-2, atol=3e-3)


@pytest.mark.parametrize("ridge", [1e-6, RIDGE])
@pytest.mark.parametrize("norm", NORMS)
def test_every_layer_fits_the_maps_that_reach_it_and_those_that_should_as_lstsq_does(
    norm: Norm, ridge: float
):
    """A ridge is so many more patches, of one number each, that the weights were right about before."""
    net, x = network(norm), some_pictures(4)
    slim, units, kept = cut(net)
    fitted = refitted(slim, net, units, x, RefitSettings(1 << 20, ridge))
    seen, should_see, wanted = _inputs(fitted, x), _inputs(net, x), _outputs(net, x)
    for conv in generator_convs(2):
        module, cut_one = fitted.get_submodule(conv.key), slim.get_submodule(conv.key)
        assert isinstance(module, Convolution)
        assert isinstance(cut_one, Convolution)
        P, Y, (inputs, filters) = list[Tensor](), list[Tensor](), kept[conv.key]
        for i, own in itertools.product(range(len(x)), (True, False)):
            y = wanted[conv.key][i].flatten(1)[filters]
            map_ = seen[conv.key][i] if own else should_see[conv.key][i][inputs]
            p = patches(module, map_, torch.arange(y.shape[1]))
            if conv.target is not None and "instance" in norm:
                p, y = p - p.mean(1, keepdim=True), y - y.mean(1, keepdim=True)
            P.append(p)
            Y.append(y)
        p, y = torch.cat(P, 1).double(), torch.cat(Y, 1).double()
        # Without a norm or a bias, nothing but the weights can be right about the mean.
        blind = module.bias is not None or norm == "batch"
        p_mean, y_mean = p.mean(1, keepdim=True) * blind, y.mean(1, keepdim=True) * blind
        centred = p - p_mean
        before = matrix(cut_one).double()
        pull = torch.eye(len(p)).double() * (ridge * centred.square().sum(1).mean()).sqrt()
        rows, wants = torch.cat([centred, pull], 1), torch.cat([y - y_mean, before @ pull], 1)
        best = torch.linalg.lstsq(rows.T, wants.T, driver="gelsd").solution.T
        # Patches of stuffed or reflected maps may be dependent: what the weights say is compared.
        said = matrix(module).double() @ centred
        torch.testing.assert_close(said, best @ centred, rtol=1e-3, atol=1e-3)
        if module.bias is not None and conv.target is None:
            bias = y.mean(1) - matrix(module).double() @ p.mean(1)
            torch.testing.assert_close(module.bias.double(), bias, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("stale", [0.0, 0.3])
def test_batch_norms_statistics_are_to_the_refitted_maps_what_they_were_to_the_originals(stale: float):
    """So where they were the original's maps' own they are again. stale: how far they are from that."""
    net, x = network("batch"), some_pictures(4)
    settle(net, torch.cat(x))
    for mean, var in batch_norms(net).values():
        mean += stale * var.sqrt()
        var *= 1 + stale
    slim, units, kept = cut(net)
    fitted = refitted(slim, net, units, x)
    maps, wanted = _outputs(fitted, x), _outputs(net, x)
    normed = [conv for conv in generator_convs(2) if conv.norm_key is not None]
    statistics = zip(normed, batch_norms(fitted).values(), batch_norms(net).values(), strict=True)
    for conv, (mean, var), (whole_mean, whole_var) in statistics:
        now, was = (torch.stack(of[conv.key]).transpose(0, 1).flatten(1) for of in (maps, wanted))
        was, filters = was[kept[conv.key][1]], kept[conv.key][1]
        if not stale:
            torch.testing.assert_close(mean, now.mean(1), rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(var, now.var(1), rtol=1e-4, atol=1e-5)
        off, whole_off = (now.mean(1) - mean) / now.std(1), (was.mean(1) - whole_mean[filters]) / was.std(1)
        torch.testing.assert_close(off, whole_off, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(var / now.var(1), whole_var[filters] / was.var(1), rtol=1e-3, atol=1e-4)


@settings(max_examples=10)
@given(seed=st.integers(0, 999), norm=st.sampled_from(NORMS))
def test_a_refit_on_the_same_pictures_never_draws_worse_than_a_cut_last_layer(seed: int, norm: Norm):
    """Of the last layer alone that is a theorem: the refitted one is the best there is."""
    net, x = network(norm, seed), some_pictures(2, seed)
    slim, units, kept = cut(net, seed)
    fitted = refitted(slim, net, units, x, ALL)
    last = generator_convs(2)[-1].key
    seen, wanted = _inputs(fitted, x)[last], _outputs(net, x)[last]
    new, old = fitted.get_submodule(last), slim.get_submodule(last)
    right = [map_[kept[last][0]] for map_ in _inputs(net, x)[last]]
    pairs = list(zip([*seen, *right], [*wanted, *wanted], strict=True))
    after, before = (sum(float((net(s[None])[0] - w).square().sum()) for s, w in pairs) for net in (new, old))
    assert after <= before * (1 + 1e-5)


def test_the_same_seed_gives_the_same_weights_and_the_slim_network_is_left_as_it_was():
    net, x = network("instance"), some_pictures(3)
    slim, units, _ = cut(net)
    before = {name: tensor.clone() for name, tensor in slim.state_dict().items()}
    few = RefitSettings(positions=20, seed=4)
    one, two = (refitted(slim, net, units, x, few).state_dict() for _ in range(2))
    other = refitted(slim, net, units, x, RefitSettings(positions=20, seed=5)).state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not torch.equal(one["model.1.weight"], other["model.1.weight"])
    assert all(torch.equal(tensor, before[name]) for name, tensor in slim.state_dict().items())


def test_refits_say_what_they_need():
    net = network("instance")
    with pytest.raises(ValueError, match="needs at least one picture"):
        refitted(net, net, whole(net), [])
    with pytest.raises(UsageError, match="positions a picture must be 1 or more, found 0"):
        RefitSettings(positions=0)
    with pytest.raises(UsageError, match="the ridge of a refit must be more than 0, found 0"):
        RefitSettings(ridge=0)


def _inputs(net: nn.Module, pictures: list[Tensor]) -> dict[str, list[Tensor]]:
    return _watched(net, pictures, lambda inputs, _: inputs[0])


def _outputs(net: nn.Module, pictures: list[Tensor]) -> dict[str, list[Tensor]]:
    return _watched(net, pictures, lambda _, output: output)


def _watched(
    net: nn.Module, pictures: list[Tensor], what: Callable[[tuple[Tensor, ...], Tensor], Tensor]
) -> dict[str, list[Tensor]]:
    found = dict[str, list[Tensor]]()
    handles = list[torch.utils.hooks.RemovableHandle]()

    def watch(name: str, module: nn.Module) -> None:
        def see(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            found.setdefault(name, []).append(what(inputs, output)[0].clone())

        handles.append(module.register_forward_hook(see))

    for name, module in net.named_modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            watch(name, module)
    with torch.no_grad():
        for picture in pictures:
            net(picture)
    for handle in handles:
        handle.remove()
    return found
