"""What both generators make of test pictures, against plain formulas."""

import pytest
import torch

from ganprune.images import to_float
from ganprune.metrics import ComparedNetworks, translated
from ganprune.models.cyclegan import resnet_widths
from tests.tiny import random_generator, tiny_gan


@pytest.mark.parametrize("whole", [True, False])
def test_distances_are_the_papers_means(whole: bool) -> None:
    gan = tiny_gan()
    slim = random_generator(resnet_widths(3, 2), 7, torch.float32)
    slim_back = random_generator(resnet_widths(2, 1), 8, torch.float32)
    partners = (gan.generators["B"], slim_back) if whole else (None, None)
    judge = gan.judges["A"] if whole else None
    found = translated(gan.pictures["A"], ComparedNetworks(gan.generators["A"], slim, *partners, judge))
    x = to_float(gan.pictures["A"])
    with torch.no_grad():
        G = gan.generators["A"]
        made = {"inputs": x, "original": G(x), "original, mirrored": G(x.flip(-1)).flip(-1), "slim": slim(x)}
        judged = {kind: gan.judges["A"](y) for kind, y in made.items()}
        back = {kind: gan.generators["B"](made[kind]) for kind in ("original", "original, mirrored")}
        back["slim"] = slim_back(made["slim"])
    assert list(found) == list(made)
    for kind, part in found.items():
        l_gena = float((made["original"] - made[kind]).square().mean())
        assert part.L_GenA == pytest.approx(l_gena, rel=1e-4, abs=1e-9)
        expected = ((made[kind] + 1) / 2 * 255).to(torch.uint8) if kind != "inputs" else gan.pictures["A"]
        assert int((part.pictures.int() - expected.int()).abs().max()) <= 1
        if not whole:
            assert (part.L_DisA, part.L_cyc) == (None, None)
            continue
        l_disa = float((judged["original"] - judged[kind]).square().mean())
        assert part.L_DisA == pytest.approx(l_disa, rel=1e-4, abs=1e-9)
        if kind == "inputs":
            assert part.L_cyc is None
        else:
            assert part.L_cyc == pytest.approx(float((back[kind] - x).square().mean()), rel=1e-4)
    assert found["original"].L_GenA == 0
    assert found["slim"].L_GenA > 1e-4
    assert found["original, mirrored"].L_GenA > 1e-4  # no network commutes with mirroring
