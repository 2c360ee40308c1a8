"""How fast ONNX networks run beside each other: interleaved timing, its statistics, its report.

report = bench(candidates_in(run_folder))
report.markdown()    # tables and sentences
"""

from ganprune.bench.candidates import Candidate, candidates_in, candidates_of
from ganprune.bench.machine import Machine, enough_cores, this_machine
from ganprune.bench.report import BenchReport
from ganprune.bench.run import bench
from ganprune.settings.bench import BenchSettings

__all__ = [
    "BenchReport", "BenchSettings", "Candidate", "Machine", "bench", "candidates_in", "candidates_of",
    "enough_cores", "this_machine",
]  # fmt: skip
