"""How fast ONNX networks run beside each other: interleaved timing, its statistics, its report.

report = bench(candidates_in(run_folder))
report.markdown()    # tables and sentences
"""

from ganprune.bench.candidates import Candidate, candidates_in, candidates_of
from ganprune.bench.engine import Engine, engine_for, installed_providers
from ganprune.bench.machine import Machine, enough_cores, physical_cores, this_machine
from ganprune.bench.profile import Profile
from ganprune.bench.report import SCHEMA, BenchReport, NetworkCost, Timing
from ganprune.bench.run import bench
from ganprune.bench.statistics import Ratio, Times, ratio_of_medians, summary
from ganprune.settings.bench import Arithmetic, BenchSettings
from ganprune.storage.tables import Table, in_threads, plus_minus

__all__ = [
    "SCHEMA",
    "Arithmetic",
    "BenchReport",
    "BenchSettings",
    "Candidate",
    "Engine",
    "Machine",
    "NetworkCost",
    "Profile",
    "Ratio",
    "Table",
    "Times",
    "Timing",
    "bench",
    "candidates_in",
    "candidates_of",
    "engine_for",
    "enough_cores",
    "in_threads",
    "installed_providers",
    "physical_cores",
    "plus_minus",
    "ratio_of_medians",
    "summary",
    "this_machine",
]
