"""What the compiled engine costs a run that needs it least: one of a reference spec, and the first one on a machine."""

import json
import os
import resource
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from multiprocessing.context import BaseContext
from pathlib import Path
from tempfile import TemporaryDirectory

import specnet
from specnet import Network
from specnet.compiler.native.training_steps import CompiledSteps
from specnet.training.steps.compiled_steps import step_programs
from specnet.training.steps.engine_choice import LIKELY_ROWS
from tests.benchmarks.processes import ROOT, Runner, run_process, specnet_command
from tests.benchmarks.report import Report, plain
from tests.benchmarks.timing import Run, Seconds, measured
from tests.compiling import missing, native_processor

SPECS = sorted(path for path in (ROOT / "specs").iterdir() if path.suffix in (".toml", ".json"))
ROUNDS, BUILDING_ROUNDS = 3, 5
LONGEST_EXTRA = 0.1
"""Seconds by which a run may be slower because it chooses its engine, and compiles if it chooses so."""
LONGEST_BUILDING = 0.01
"""Seconds that the text of the steps and their library may take from the cache."""


def children_seconds() -> float:
    """CPU seconds of all processes that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def cost_of(
    spec: Path,
    folder: Path,
    rounds: int = ROUNDS,
    run: Runner = run_process,
    clock: Callable[[], float] = children_seconds,
) -> tuple[str, dict[str, Seconds]]:
    """The engine that runs of a spec choose, and the seconds of whole processes by ``training.engine``.

    Each begins with an empty cache. The last ones are left in `folder`, in ``auto`` and ``numpy``.
    """

    def run_by(engine: str) -> Run:
        options = ["--out", str(folder / engine), "--force", "--set", f"training.engine={engine}"]

        def once(_: int) -> int:
            with TemporaryDirectory() as cache:
                return run([specnet_command(), "run", str(spec), *options], SPECNET_CACHE=cache)

        return once

    found = measured({engine: run_by(engine) for engine in ("auto", "numpy")}, rounds, seconds=0, cpu_clock=clock)
    return json.loads((folder / "auto" / "run.json").read_text(encoding="utf-8"))["engine"], found


def building_seconds(models: list[Path], cache: Path) -> list[float]:
    """From the programs of each model's steps to their library; to be called in a new process, which has none of them.

    Programs are lowered before: NumPy's engine needs them as well.
    """
    os.environ["SPECNET_CACHE"] = str(cache)
    found = []
    for model in models:
        network = Network(specnet.load_model(model).network.resolved, "compiled")
        size = network.resolved.batch_size
        programs = step_programs(network, LIKELY_ROWS if size == "full" else size)
        start = time.perf_counter()
        CompiledSteps(programs, network.dtype, native_processor()).library()
        found.append(time.perf_counter() - start)
    return found


def cached_building_seconds(
    models: list[Path], cache: Path, rounds: int = BUILDING_ROUNDS, context: BaseContext | None = None
) -> list[float]:
    """Medians of `building_seconds` once the cache has all libraries."""
    found = []
    for _ in range(1 + rounds):
        with ProcessPoolExecutor(1, context or get_context("spawn")) as pool:
            found.append(pool.submit(building_seconds, models, cache).result())
    return [statistics.median(seconds) for seconds in zip(*found[1:], strict=True)]


def cost(report: Report) -> None:
    """Runs of all reference specs, and what their libraries take from the cache."""
    columns = ("auto is", "auto s", "numpy s", "auto − numpy, CPU s", "auto − numpy, s", "at most")
    report.table("`specnet run`, nothing in the cache", *columns)
    with TemporaryDirectory() as name:
        folders = [Path(name) / spec.stem for spec in SPECS]
        for spec, folder in zip(SPECS, folders, strict=True):
            chosen, found = cost_of(spec, folder)
            extra, extra_cpu = (ours - numpy for ours, numpy in zip(found["auto"], found["numpy"], strict=True))
            cells = [plain(found["auto"].wall), plain(found["numpy"].wall), f"{extra_cpu:+.3f}", f"{extra:+.3f}"]
            report.row(f"specs/{spec.name}", chosen, *cells, f"{LONGEST_EXTRA:g}")
            report.judge(f"specs/{spec.name} with auto beside numpy", extra <= LONGEST_EXTRA)
        if missing() is None:
            report.table("compiled steps from the cache", "s", "under")
            models = [folder / "numpy" / "model.safetensors" for folder in folders]
            for spec, seconds in zip(SPECS, cached_building_seconds(models, Path(name) / "cache"), strict=True):
                report.limited(f"specs/{spec.name}", seconds, LONGEST_BUILDING)
