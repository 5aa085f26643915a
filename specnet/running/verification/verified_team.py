"""The team of a sweep, put together again from the trials in the sweep's folder."""

from __future__ import annotations

from pathlib import Path

from specnet.data import load_table
from specnet.files.folders import write_folder
from specnet.files.run_files import TEAM, TEAM_OF_SWEEP, clear
from specnet.running.data_rows import data_hash, split_data
from specnet.running.sweeps.teams import made_team
from specnet.running.sweeps.trial_records import TrialOutputs
from specnet.running.training_run import Contents
from specnet.running.verification.compared_run import ComparedRun
from specnet.running.verification.compared_sweep import ComparedSweep
from specnet.running.verification.result import VerifiedRun
from specnet.saved.saved_folder import FINISHED


def verified_team(sweep: ComparedSweep, name: str, out: Path | None) -> VerifiedRun | None:
    """Return what differs of the team of a sweep, chosen again and measured on its rows; None if it has and needs none.

    Parameters
    ----------
    sweep : ComparedSweep
    name : str
        What the team is called.
    out : Path or None
        Where to write it.

    Raises
    ------
    SpecnetError
        If something in the folder of the sweep is damaged or gone.
    """
    table, planned = load_table(sweep.spec), sweep.repetitions(sweep.spec)
    outputs = TrialOutputs(sweep.path, planned)
    for trial in sweep.all_ended:
        if trial.state == FINISHED and trial.number < sweep.facts.trials:
            outputs.add_written(trial.number)
    judge, contents = sweep.judge(table), Contents()
    if judge is not None and outputs:
        contents = made_team(judge, outputs, split_data(sweep.spec, table)).contents()
    team = ComparedRun(sweep.path / TEAM, name, sweep=sweep)
    if not team.files and not contents:
        return None
    if out is not None:
        clear(out, TEAM_OF_SWEEP)
        write_folder(out, contents)
    return team.compared(contents, sweep.conditions_now(data_hash(table)), sweep.spec, table)
