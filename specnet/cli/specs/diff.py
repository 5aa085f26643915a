"""`specnet diff`: what two specs or runs differ in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from specnet.cli.inputs import STANDARD_INPUT, is_model, parse, read_limits
from specnet.cli.options import LimitOption, argument
from specnet.cli.output import Output, UsageError

if TYPE_CHECKING:
    from specnet.model import Model
    from specnet.saved.saved_run import SavedRun
    from specnet.spec import Spec

_HELP = "Spec, TOML or JSON; folder of a run or a sweep; .safetensors file; or - for a spec from standard input."


def diff(
    output: Output,
    first: Annotated[Path, argument("A", _HELP)],
    second: Annotated[Path, argument("B", _HELP)],
    limit: LimitOption = None,
) -> None:
    """Compare two specs or runs by their meaning.

    Compares the resolved specs: layout, order, and defaults written out make no difference. Layers are matched, so that
    an inserted one is one difference. What two specs search by [sweep] is compared too, and teams network by network,
    with their shares. Of two runs the scores stand below, and data that differ are told. Reads the data of a spec if
    the comparison depends on it. The exit status is 0 whether or not there are differences.

    Examples
    --------
    specnet diff specs/moons.toml specs/logistic.toml
    specnet diff runs/moons_2_5_1/1 moons
    """
    from specnet.report.spec_differences import difference_row, joined_rows, network_differences
    from specnet.report.terminal.run_table import score_rows, score_text
    from specnet.running.resolved_specs import comparable_specs
    from specnet.saved.saved_folder import have_one_loss
    from specnet.saved.saved_run import SavedRun

    if first == second == STANDARD_INPUT:
        raise UsageError("standard input can only be read once", source=str(STANDARD_INPUT))
    both = _compared(first, limit), _compared(second, limit)
    specs = comparable_specs(*both)
    found = network_differences(*(_networks(*each) for each in zip(both, specs, strict=True)))
    rows = [difference_row(each) for each in found]
    mine, theirs = (each.data_sha256 if isinstance(each, SavedRun) else None for each in both)
    has_other_data = mine is not None and theirs is not None and mine != theirs
    if has_other_data and specs[0].data == specs[1].data:
        rows.append(("data (SHA-256)", f"{mine:.8}…", f"{theirs:.8}…"))
    runs = [each for each in both if isinstance(each, SavedRun)]
    scores = score_rows(*runs) if len(runs) == 2 else []
    output.data |= {
        "equal": not found and not has_other_data,
        "differences": [{"key": key, "before": before, "after": after} for key, before, after in found],
        "data": [mine, theirs],
        "scores": [{"score": title, "before": before, "after": after} for title, before, after in scores],
    }
    if not rows:
        output.line("no differences")
    shown = [(title, score_text(title, before), score_text(title, after)) for title, before, after in scores]
    are_apart = len(runs) == 2 and not have_one_loss(run.loss for run in runs)
    output.rows([*joined_rows([*rows, *shown]), *([("loss", "not compared: in other units")] if are_apart else [])])


def _networks(compared: Spec | SavedRun | Model, spec: Spec) -> list[tuple[Spec, int]]:
    """Return the resolved spec of each network of a model with its share; else the one spec."""
    from specnet.model import Model

    if not isinstance(compared, Model):
        return [(spec, 1)]
    return [(each.spec, share) for each, share in zip(compared.networks, compared.shares, strict=True)]


def _compared(path: Path, limit: list[str] | None) -> Spec | SavedRun | Model:
    """Return what a path stands for: a run, that of the best trial of a sweep, a model, or a spec."""
    from specnet.files.run_files import BEST, RUN, SWEEP, kind_of
    from specnet.model import load_model
    from specnet.saved.saved_run import SavedRun

    kind, limits = kind_of(path), read_limits(limit)
    if kind is RUN or kind is SWEEP:
        run = SavedRun(path / BEST if kind is SWEEP else path, limits=limits)
        run.check()
        return run
    return load_model(path, limits=limits) if is_model(path) else parse(path, None, limit)
