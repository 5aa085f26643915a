"""The team of a sweep, put together again from the trials in the sweep's folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from specnet.data import load_table
from specnet.errors import FileError
from specnet.files import file_errors
from specnet.files.folders import write_folder
from specnet.files.run_files import BEST_SPECS, SWEEP, SWEEP_FACTS, TEAM, TEAM_OF_SWEEP, TRIALS, clear, kind_of
from specnet.parts.part import Part
from specnet.running.data_rows import data_hash, split_data
from specnet.running.machine import library_versions
from specnet.running.many.run_tasks import THREADS, this_machine
from specnet.running.sweeps.sweep_folder import IDENTITY, VERSIONS, SweepIdentity, read_facts
from specnet.running.sweeps.sweep_report import SweepFacts, read_trials
from specnet.running.sweeps.teams import Candidates, made_team
from specnet.running.sweeps.trial_judge import Judge, Outputs
from specnet.running.sweeps.trial_records import read_outputs
from specnet.running.verification.repeated_run import Kept, read_files
from specnet.running.verification.result import VerifiedRun
from specnet.running.verification.verified_series import planned_runs, sweep_facts
from specnet.spec import Limits, Spec, parse_spec
from specnet.spec.parsing import document_saying
from specnet.spec.reading.source_document import Document


def verified_team(
    sweep: Path, name: str, out: Path | None, parts: tuple[type[Part], ...], limits: Limits | None
) -> VerifiedRun:
    """Return what differs of the team of a sweep, chosen again and measured on its rows.

    Parameters
    ----------
    sweep : Path
        The folder of the sweep.
    name : str
        What the team is called.
    out : Path or None
        Where to write it.
    parts, limits
        As for `load_model`.

    Raises
    ------
    SpecnetError
        If the sweep is not here, or something in it is damaged or gone.
    """
    if kind_of(sweep) is not SWEEP:
        raise FileError("the team cannot be made again: it is not in the folder of its sweep", source=str(sweep / TEAM))
    facts, told = read_facts(sweep), SweepFacts.of(sweep)
    with file_errors(sweep / SWEEP_FACTS):
        identity = SweepIdentity.from_data(facts.get(IDENTITY))
    spec = _as_written(sweep, identity, parts, limits)
    table, planned = load_table(spec), planned_runs(identity, spec)
    outputs: dict[int, Outputs] = {}
    for trial in read_trials(sweep, told.trials):
        answered = read_outputs(sweep / TRIALS / f"{trial.number:04}", planned) if trial.state == "finished" else None
        outputs |= {} if answered is None else {trial.number: answered}
    judge = Judge.of(spec, planned, table, told.metric)
    contents = made_team(Candidates(spec, sweep, planned, judge, outputs), split_data(spec, table)).contents()
    if out is not None:
        clear(out, TEAM_OF_SWEEP)
        write_folder(out, contents)
    now = {VERSIONS: library_versions(), "threads": THREADS, "data_sha256": data_hash(table), **this_machine()}
    kept = Kept(sweep / TEAM, sweep_facts(identity, facts), read_files(sweep / TEAM), None)
    return kept.compared(contents, now, spec, table, name)


def _as_written(sweep: Path, identity: SweepIdentity, parts: tuple[type[Part], ...], limits: Limits | None) -> Spec:
    """Return the spec of a sweep without ``[sweep]``; where its rows are, the best trial's spec says."""
    best = next((sweep / name for name in BEST_SPECS if (sweep / name).is_file()), sweep / BEST_SPECS[0])
    data: Mapping[str, object] = document_saying(parse_spec(best, parts=parts, limits=limits)).data
    document = {**json.loads(identity.run.spec), "data": data["data"]}
    return parse_spec(Document(document, folder=sweep), parts=parts, limits=limits)
