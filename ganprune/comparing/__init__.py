"""Searches, ablations and rivals side by side: the same networks, pictures, size, fine-tuning and figures.

cells.py         a settings file → cells; the packaged files are in settings/
contest.py       a settings file that fits to a checkpoint and data; what a comparison would do
running.py       every cell to its figures, then all networks timed together
timing.py        all networks in one measurement
cell_stages.py   the stage that a rival has in place of a search; one number of steps for all cells
jury.py          test pictures through networks → figures
record.py        a finished cell as JSON; which are finished
tables.py        one row a method, means over seeds; what the claim of a settings file comes to
paper.py         the paper's own figures
"""
