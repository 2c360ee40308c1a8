"""How fast ONNX networks run beside each other: interleaved timing, its statistics, its report.

report = bench(candidates_in(run_folder))
report.markdown()    # tables and sentences
"""

from ganprune.bench.machine import Machine, physical_cores, this_machine
from ganprune.bench.report import SCHEMA, BenchReport, Network, Table, Timing, in_threads, plus_minus
from ganprune.bench.run import bench
from ganprune.bench.settings import BenchSettings, Candidate, candidates_in, candidates_of
from ganprune.bench.statistics import Ratio, Times, ratio_of_medians, summary

__all__ = [
    "SCHEMA",
    "BenchReport",
    "BenchSettings",
    "Candidate",
    "Machine",
    "Network",
    "Ratio",
    "Table",
    "Times",
    "Timing",
    "bench",
    "candidates_in",
    "candidates_of",
    "in_threads",
    "physical_cores",
    "plus_minus",
    "ratio_of_medians",
    "summary",
    "this_machine",
]
