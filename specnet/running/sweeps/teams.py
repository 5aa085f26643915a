"""The team of a sweep: trials whose networks answer together better than those of the best trial alone.

Which trials, and how much each counts, is chosen by what they answer for rows held out: in each round the trial is
added, maybe again, with which the mean is best (Caruana et al. 2004, selection with replacement).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from specnet.data import RawColumns
from specnet.files.folders import write_folder
from specnet.files.json_lines import json_text
from specnet.files.run_files import METRICS, MODEL
from specnet.files.series_files import TEAM, TEAM_FACTS
from specnet.model import Model, Team, load_model
from specnet.parts.arrays import as_array
from specnet.parts.data import Table
from specnet.running.data_rows import SpecData, split_data
from specnet.running.evaluation.evaluation import OUT_OF_FOLD, Metrics, told_figures
from specnet.running.sweeps.coordinator import Coordinator
from specnet.running.sweeps.trial_judge import HeldRows, Judge, Outputs
from specnet.running.sweeps.trial_records import VALIDATION, file_of
from specnet.running.training_run import Contents

ROUNDS = 25


@dataclass(frozen=True)
class TrialTeam:
    """The team of a sweep.

    Attributes
    ----------
    shares : dict
        How often each trial was chosen, by its number, the most often chosen first.
    model : Model
        What they answer together.
    metrics : dict
        Its figures by part of the split and name, as the spec as written measures them; those of rows held out have
        chosen it.
    best : dict
        Those of the run of the best trial, measured alike.
    """

    shares: dict[int, int]
    model: Model = field(repr=False)
    metrics: Metrics
    best: Metrics = field(repr=False)

    def in_words(self) -> str:
        """Return the trials with their shares in percent."""
        total = sum(self.shares.values())
        told = [f"{number} ({100 * share / total:.0f} %)" for number, share in self.shares.items()]
        return f"team: trial{'s' * (len(told) > 1)} {', '.join(told)}"


def chosen_shares(judge: Judge, outputs: Mapping[int, Outputs], rounds: int = ROUNDS) -> tuple[dict[int, int], Outputs]:
    """Return how often each trial is chosen, and what those chosen answer together for rows held out.

    Parameters
    ----------
    judge : Judge
    outputs : mapping
        What each trial answers, by its number.
    rounds : int
    """
    shares = Counter[int]()
    together: Outputs = ()
    for done in range(rounds):
        tried = {number: judge.joined(together, each, done) for number, each in sorted(outputs.items())}
        best = min(tried, key=lambda number: judge.score(tried[number]))
        shares[best] += 1
        together = tried[best]
    return dict(sorted(shares.items(), key=lambda each: (-each[1], each[0]))), together


def _measured(model: Model, data: SpecData) -> Metrics:
    """Return the figures of a model on each part of the split, as the spec as written measures its own answers."""
    found: Metrics = {}
    for name, rows in data.splits.items():
        inputs = model.read(RawColumns(as_array(rows.columns, "X"), rows.kinds))
        outputs = model.member_outputs(inputs, raw=True)
        held = HeldRows.of(data, name)
        found[name] = told_figures(held.figures(held.decoder.raw_of(model.decoder.comparable(outputs))))
    return found


def written_team(course: Coordinator, table: Table, best: Model) -> TrialTeam | None:
    """Return the team of a sweep whose trials are all told, and write it; None if no trial can be compared with others.

    `best` is the model of the best trial's run. Rows for testing are read here, after all that they could have decided.
    """
    judge, spec = course.judge, course.spec
    if judge is None or not course.outputs:
        return None
    shares, together = chosen_shares(judge, course.outputs)
    models, counts = [], []
    for number, share in shares.items():
        for each in course.repetitions:
            path = course.folder.trial_path(number) / file_of(each, MODEL)
            models.append(load_model(path, parts=spec.registry, limits=spec.origin.limits))
            counts.append(share)
    model = models[0] if len(models) == 1 else Team(models, counts)
    data = split_data(spec.model_copy(update={"sweep": None}), table)
    metrics = _measured(model, data)
    held = OUT_OF_FOLD if judge.runs[0].name == "train" else VALIDATION
    metrics[held] = {**metrics.get(held, {}), **judge.figures_of(together)}
    order = ("train", OUT_OF_FOLD, VALIDATION, "test")
    metrics = {name: metrics[name] for name in order if name in metrics}
    team = TrialTeam(shares, model, metrics, _measured(best, data))
    contents: Contents = {
        MODEL: model.to_bytes(),
        METRICS: json_text({"rows": {name: len(rows) for name, rows in data.splits.items()}, **team.metrics}),
        TEAM_FACTS: json_text({"rounds": sum(shares.values()), "shares": {str(key): n for key, n in shares.items()}}),
    }
    write_folder(course.folder.path / TEAM, contents)
    return team
