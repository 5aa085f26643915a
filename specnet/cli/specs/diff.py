"""`specnet diff`: what two specs or runs differ in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from specnet.cli.inputs import STANDARD_INPUT, is_model, parse, read_limits
from specnet.cli.options import LimitOption, argument
from specnet.cli.output import Output, UsageError

if TYPE_CHECKING:
    from specnet.running.saved_runs import Side

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
    from specnet.report.spec_differences import difference_row, joined_rows, spec_differences, team_differences
    from specnet.report.terminal.run_table import have_one_loss, score_rows, score_text
    from specnet.running.saved_runs import resolved_sides

    if first == second == STANDARD_INPUT:
        raise UsageError("standard input can only be read once", source=str(STANDARD_INPUT))
    before, after = resolved_sides(_side(first, limit), _side(second, limit))
    if before.networks or after.networks:
        teams = [side.networks or [(side.spec, 1)] for side in (before, after)]
        found = team_differences(*teams)
    else:
        found = spec_differences(before.spec, after.spec)
    rows = [difference_row(each) for each in found]
    has_other_data = _differ(before.data_sha256, after.data_sha256)
    if has_other_data and before.spec.data == after.spec.data:
        rows.append(("data (SHA-256)", f"{before.data_sha256:.8}…", f"{after.data_sha256:.8}…"))
    scores = score_rows(before.record, after.record) if before.record and after.record else []
    output.data |= {
        "equal": not found and not has_other_data,
        "differences": [each._asdict() for each in found],
        "data": [before.data_sha256, after.data_sha256],
        "scores": [{"score": title, "before": mine, "after": theirs} for title, mine, theirs in scores],
    }
    if not rows:
        output.line("no differences")
    shown = [(title, score_text(title, mine), score_text(title, theirs)) for title, mine, theirs in scores]
    apart = before.record and after.record and not have_one_loss([before.record, after.record])
    told = [("loss", "not compared: in other units")] if apart else []
    output.rows([*joined_rows([*rows, *shown]), *told])


def _side(path: Path, limit: list[str] | None) -> Side:
    from specnet.files.run_files import BEST, RUN, SWEEP, kind_of
    from specnet.running.saved_runs import Side, side_of_model, side_of_run

    kind = kind_of(path)
    if kind is SWEEP:
        return side_of_run(path / BEST, read_limits(limit))
    if kind is RUN:
        return side_of_run(path, read_limits(limit))
    if is_model(path):
        return side_of_model(path, read_limits(limit))
    return Side(parse(path, None, limit))


def _differ(first: str | None, second: str | None) -> bool:
    return first is not None and second is not None and first != second
