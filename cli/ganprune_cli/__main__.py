"""``python -m ganprune_cli``: the same as ``ganprune``."""

from ganprune_cli.main import main

main()
