"""CycleGAN's public generators and data sets, or those of any other address.

catalog.py     the table of names and addresses; an address of one's own as an entry of it
fetch.py       an address → a file: goes on where it stopped, and knows when it is whole
unpack.py      a zip or tar of pictures → a folder, with nothing outside it
contents.py    whether what came is what it should be
job.py         all of it in order; what is there already is left alone
"""

from ganprune.download.catalog import BASE, CATALOG, Item, find_item, item_at, with_sha256
from ganprune.download.job import Downloaded, download

__all__ = [
    "BASE", "CATALOG", "Downloaded", "Item", "download", "find_item", "item_at", "with_sha256"
]  # fmt: skip
