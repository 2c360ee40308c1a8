"""What a compression knows while it is under way, in one object that every stage is handed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from torch import Tensor, nn

from ganprune.checkpoints import Own, Quartet
from ganprune.checkpoints.own import READERS_ALONE
from ganprune.images import PictureFolders
from ganprune.images.sources import Domain
from ganprune.pruning.latency import LatencyTable
from ganprune.reporting import SILENT, Reporter
from ganprune.runs import Run
from ganprune.settings import CompressSettings
from ganprune.stages.setting_up import Resolved
from ganprune.storage.files import sha256


@dataclass(frozen=True, slots=True)
class Job:
    """One compression in its run folder."""

    run: Run
    quartet: Quartet
    """The networks to compress, and those that judge them; see `needed_networks` for what may be missing."""
    folders: PictureFolders
    pictures: Mapping[Domain, Tensor]
    """What the search scores on, of each domain that there are pictures of: [n, c, size, size], uint8 or
    floats in [-1, 1]."""
    settings: CompressSettings
    resolved: Resolved
    reporter: Reporter = SILENT
    tables: Mapping[Domain, LatencyTable] | None = None
    """Of this machine's speed, for a target in milliseconds."""
    own: Own = READERS_ALONE
    """The user's modules, where the networks are of such."""

    @property
    def originals(self) -> dict[Domain, nn.Module]:
        """G_A and G_B, as far as they are there."""
        return self.quartet.generators

    @property
    def discriminators(self) -> dict[Domain, nn.Module]:
        """D_A, which judges what G_A makes, and D_B, as far as they are there."""
        return self.quartet.discriminators

    def in_folder(self, run: Run) -> "Job":
        """The same in another run folder."""
        return replace(self, run=run)

    def source_sha256(self, side: Domain) -> str | None:
        """SHA-256 of the file that an original was read from; None where it was read from none."""
        file = self.quartet.files.get("G_A" if side == "A" else "G_B")
        return None if file is None else sha256(file)
