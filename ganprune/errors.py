"""Everything ganprune raises on purpose.

    GanpruneError
    ├── UsageError              a setting out of range, a path that does not exist          exit 2
    ├── InputError              what was given is not understood                            exit 3
    │   ├── CheckpointError     a file that is no usable CycleGAN network
    │   │   ├── UnsafeCheckpoint        its pickle would run code
    │   │   ├── UnsupportedArchitecture a network of a kind that is not read
    │   │   ├── Misfit                  a network that is damaged, or of such a kind
    │   │   └── MissingNetwork          a network that the job needs is not there
    │   ├── DataError           picture folders that are empty, missing or unreadable
    │   │   └── DamagedPicture          a file that was read, and does not decode as a picture
    │   └── RunError            a run folder that is damaged or belongs to other settings
    ├── DownloadError           an address that gave nothing, or something else             exit 1
    └── MissedError             the work was done and written, but a promise was missed     exit 4
        ├── VerificationError   an exported file computes something else
        └── TargetError         the size or speed asked for was not reached

Every message says what was needed, what was found and what to do next, on one line.
"""


class GanpruneError(Exception):
    """Base of all errors that ganprune raises on purpose."""

    exit_code = 1


class UsageError(GanpruneError):
    """A setting is out of range, options contradict each other, or a path does not exist."""

    exit_code = 2


class InputError(GanpruneError):
    """A file or folder was found but cannot be used."""

    exit_code = 3


class CheckpointError(InputError):
    """A file is no CycleGAN checkpoint, or a damaged or contradictory one."""


class UnsafeCheckpoint(CheckpointError):
    """A pickle asks for code to be run while it is read; nothing of it was run."""


class UnsupportedArchitecture(CheckpointError):
    """The tensors belong to a network of a kind that ganprune does not read."""


class Misfit(CheckpointError):
    """A network lacks a tensor, or one has another kernel: its file is damaged, or of another network."""


class MissingNetwork(CheckpointError):
    """A network that the job needs was not found beside the one that was given."""


class DataError(InputError):
    """Picture folders are empty, missing, or hold too many unreadable files."""


class DamagedPicture(DataError):
    """A file could be read, and is no picture, or a damaged or far too large one."""


class RunError(InputError):
    """A run folder is damaged, incomplete, in use, or was made with other settings."""


class DownloadError(GanpruneError):
    """An address could not be reached, broke off, or gave other bytes than were published."""


class MissedError(GanpruneError):
    """The results were written, but they miss what was promised."""

    exit_code = 4


class VerificationError(MissedError):
    """An exported network does not compute what the original computes."""


class TargetError(MissedError):
    """The size or the speed that was asked for was not reached."""
