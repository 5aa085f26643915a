"""The team of a sweep, put together again from the trials in the sweep's folder."""

from __future__ import annotations

from pathlib import Path

from specnet.data import load_table
from specnet.files.folders import write_folder
from specnet.files.run_files import TEAM, TEAM_OF_SWEEP, clear
from specnet.running.data_rows import data_hash, split_data
from specnet.running.machine import library_versions
from specnet.running.many.run_tasks import THREADS, this_machine
from specnet.running.sweeps.sweep_folder import VERSIONS
from specnet.running.sweeps.teams import Candidates, made_team
from specnet.running.sweeps.trial_judge import Outputs
from specnet.running.sweeps.trial_records import read_outputs
from specnet.running.training_run import Contents
from specnet.running.verification.kept_sweeps import KeptSweep
from specnet.running.verification.repeated_run import Kept, read_files
from specnet.running.verification.result import VerifiedRun
from specnet.saved.saved_folder import FINISHED


def verified_team(sweep: KeptSweep, name: str, out: Path | None) -> VerifiedRun | None:
    """Return what differs of the team of a sweep, chosen again and measured on its rows; None if it has and needs none.

    Parameters
    ----------
    sweep : KeptSweep
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
    outputs: dict[int, Outputs] = {}
    for trial in sweep.trials:
        is_told = trial.state == FINISHED and trial.number < sweep.known.trials
        answered = read_outputs(sweep.trial_path(trial.number), planned) if is_told else None
        outputs |= {} if answered is None else {trial.number: answered}
    judge, contents = sweep.judge(table), Contents()
    if judge is not None and outputs:
        candidates = Candidates(sweep.spec, sweep.path, planned, judge, outputs)
        contents = made_team(candidates, split_data(sweep.spec, table)).contents()
    files = read_files(sweep.path / TEAM) if (sweep.path / TEAM).is_dir() else {}
    if not files and not contents:
        return None
    if out is not None:
        clear(out, TEAM_OF_SWEEP)
        write_folder(out, contents)
    now = {VERSIONS: library_versions(), "threads": THREADS, "data_sha256": data_hash(table), **this_machine()}
    return Kept(sweep.path / TEAM, sweep.conditions, files, {}).compared(contents, now, sweep.spec, table, name)
