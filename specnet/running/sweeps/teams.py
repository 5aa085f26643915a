"""The team of a sweep: trials whose networks answer together better than those of the best trial alone.

Which trials, and how much each counts, is chosen by what they answer for rows held out: in each round the trial is
added, maybe again, with which the mean is best (Caruana et al. 2004, selection with replacement).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from specnet.data import RawColumns
from specnet.files.folders import write_folder
from specnet.files.json_lines import json_text
from specnet.files.run_files import METRICS, MODEL
from specnet.files.series_files import TEAM, TEAM_FACTS
from specnet.model import Answers, ErrorQuantiles, Model, Team, load_model
from specnet.parts.arrays import as_array
from specnet.parts.data import Table
from specnet.running.data_rows import SpecData, split_data
from specnet.running.evaluation.evaluation import OUT_OF_FOLD, SPLITS, Evaluation, Metrics, evaluate_answers
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


def _evaluated(model: Model, data: SpecData) -> Evaluation:
    """Return what there is to say of a model, as the spec as written measures its own answers."""
    answers = {}
    for name, rows in data.splits.items():
        held = HeldRows.of(data, name)
        inputs = model.read(RawColumns(as_array(rows.columns, "X"), rows.kinds))
        outputs = model.member_outputs(inputs, raw=True)
        answers[name] = held.answers(held.decoder.raw_of(model.decoder.comparable(outputs)))
    return evaluate_answers(model, data.resolved.spec, answers, data)


def written_team(course: Coordinator, table: Table, best: Model) -> TrialTeam | None:
    """Return the team of a sweep whose trials are all told, and write it; None if no trial can be compared with others.

    `best` is the model of the best trial's run. Rows for testing are read here, after all that they could have decided.
    """
    judge, spec = course.judge, course.spec
    if judge is None or not course.outputs:
        return None
    shares, together = chosen_shares(judge, course.outputs)
    model = _joined(course, shares, judge.answers(together))
    data = split_data(spec.model_copy(update={"sweep": None}), table)
    evaluation = _evaluated(model, data)
    metrics = evaluation.metrics
    held = OUT_OF_FOLD if judge.runs[0].name == "train" else VALIDATION
    metrics[held] = {**metrics.get(held, {}), **judge.figures_of(together)}
    evaluation = replace(evaluation, metrics={name: metrics[name] for name in SPLITS if name in metrics})
    contents: Contents = {
        MODEL: model.to_bytes(),
        METRICS: json_text(evaluation.record()),
        TEAM_FACTS: json_text({"rounds": sum(shares.values()), "shares": {str(key): n for key, n in shares.items()}}),
    }
    write_folder(course.folder.path / TEAM, contents)
    return TrialTeam(shares, model, evaluation.metrics, _evaluated(best, data).metrics)


def _joined(course: Coordinator, shares: Mapping[int, int], held: Sequence[Answers]) -> Model:
    """Return the model of trials with shares; a trial alone keeps the errors of its own fit.

    Parameters
    ----------
    course : Coordinator
    shares : mapping
        Of each trial, by its number.
    held : sequence of Answers
        What they answer together for rows held out of each run of a trial.
    """
    models, counts = [], []
    for number, share in shares.items():
        for each in course.repetitions:
            path = course.folder.trial_path(number) / file_of(each, MODEL)
            models.append(load_model(path, parts=course.spec.registry, limits=course.spec.origin.limits))
            counts.append(share)
    if len(models) == 1:
        return models[0]
    return Team(models, counts, ErrorQuantiles.of(Answers.joined(held), models[0].network.task))
