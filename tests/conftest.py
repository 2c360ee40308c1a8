"""Settings of all tests.

One CPU thread, because tiny networks only lose time on more. Hypothesis without deadlines, with the same
examples every time in CI; ``pytest --hypothesis-profile thorough`` looks much harder.
"""

import os

import torch
from hypothesis import settings

torch.set_num_threads(1)
settings.register_profile("local", deadline=None, max_examples=20)
settings.register_profile("ci", deadline=None, max_examples=20, derandomize=True)
settings.register_profile("thorough", deadline=None, max_examples=1000)
settings.load_profile("ci" if os.environ.get("CI") else "local")
