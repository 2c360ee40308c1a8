"""Draw the packaged example's pictures, and masks of the animals on those for tests.

    python scripts/make_pictures.py  # into ganprune/example/pictures and ganprune/example/masks

The same pictures come out on every machine. The example's networks were trained on those of another seed.
"""

from painter import draw_folder

from ganprune.example import EXAMPLE_SIZE, PICTURES

SEED = 1
TRAIN, TEST = 100, 24
"""Pictures of each domain."""

if __name__ == "__main__":
    masks = PICTURES.with_name("masks")
    draw_folder(PICTURES, seed=SEED, train=TRAIN, test=TEST, size=EXAMPLE_SIZE, masks=masks)
