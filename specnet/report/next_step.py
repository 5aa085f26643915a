"""What to do after a run: the sentence, the command and the effect that its page and the terminal show."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from specnet.files.plain_data import toml_value, value_at
from specnet.findings import Finding
from specnet.findings.finding import Changes
from specnet.number_texts import counted, page_metric
from specnet.parts.splits import TEST
from specnet.report.pages import headline
from specnet.report.terminal.scores import CONSTANT
from specnet.saved.expectations_file import JudgedExpectation, figure_in_words, in_order
from specnet.saved.saved_folder import FINISHED
from specnet.saved.saved_series import SavedSeries

MINOR = frozenset({"constant-column"})
"""Codes of findings that are the next step only if there are no others: their remedies change no prediction."""
BROKEN = "Do not use this model as it is: it breaks what the spec expects."
UNDECIDED = "Test more rows: these do not decide what the spec expects."
LINEAR_MODEL = "linear"
LINEAR: Changes = {
    "network.layers": None,
    "network.layer_sizes": None,
    "network.activations": None,
    "network.hidden_layer_sizes": [],
    "training.batch_size": None,
    "training.loss.label_smoothing": None,
    "training.optimizer": "lbfgs",
    "training.l2": 0.001,
}
"""Settings of a linear model, which an optimizer without a learning rate fits best; None for those to remove."""
AGAINST_OVERFITTING = ("training", "early_stopping"), ("training", "l2")
"""Paths of the settings that findings advise first against overfitting."""
OWN_TEST_ROWS = frozenset({"test", "validation", "column", "folds"})
"""Keys of a split that say which rows are test rows, so that folds have none to choose."""
_BARE_TEXT = re.compile(r"(?!(true|false|inf|nan)$)[A-Za-z_][A-Za-z_]*")


class NextStep(NamedTuple):
    """What to do after a run.

    Attributes
    ----------
    headline : str
        The advice, or the name of a finding, as a sentence.
    text : str
        Its reason.
    command : str
        A command that can be copied; empty if there is none.
    effect : str
        The effect of the command, measured or expected.
    finding : Finding or None
        The finding that the step is about.
    is_end : bool
        Whether nothing can be learned from these columns, so that charts of the model say nothing.
    """

    headline: str
    text: str = ""
    command: str = ""
    effect: str = ""
    finding: Finding | None = None
    is_end: bool = False


def next_step(
    findings: Iterable[Finding],
    evaluation: Mapping[str, Any],
    document: Mapping[str, Any],
    spec: str,
    settings: Sequence[str],
    folder: str,
    expectations: Sequence[JudgedExpectation] = (),
) -> NextStep:
    """Return the next step after a run; an expectation that ends it with status 3 is before everything else.

    Parameters
    ----------
    findings : iterable of Finding
    evaluation : mapping
        Contents of ``metrics.json``.
    document : mapping
        The spec as written, with `settings`.
    spec : str
        Path of the spec in commands.
    settings : sequence of str
        Settings of the run beside its spec, as of ``--set``.
    folder : str
        Path of the run's folder in commands.
    expectations : sequence of JudgedExpectation, optional
        The outcome of each expectation of the spec.
    """
    first, beside = next(iter(ranked(findings)), None), headline.comparison(evaluation)
    with_changes = partial(command_of, spec, settings)
    if failing := [each for each in in_order(expectations) if each["counts"]]:
        return _of_failing(failing, first, with_changes, folder)
    if headline.too_few_groups(evaluation) and (first is None or first.code in {*MINOR, "no-signal"}):
        return _on_folds(NextStep("Test more groups."), "every group is tested once", document, with_changes({}))
    if beside is not None and beside[1] == CONSTANT and _is_behind_linear(evaluation, beside[2]):
        beside = -1, LINEAR_MODEL, beside[2]
    if first is not None and (first.code not in MINOR or beside is None or beside[0] > 0):
        is_tried = any(value_at(document, path) is not None for path in AGAINST_OVERFITTING)
        if not (first.code == "overfitting" and is_tried and beside is not None and beside[:2] == (-1, LINEAR_MODEL)):
            return _of_finding(first, with_changes)
    if beside is None:
        return _without_comparison(evaluation, document, with_changes)
    outcome, baseline, name = beside
    rival = headline.BASELINES.get(baseline, baseline)
    if baseline == CONSTANT and outcome < 0:
        return NextStep("Do not use this network.", "More rows, or other columns, may help.")
    if baseline == CONSTANT and not outcome:
        rows = counted(evaluation["rows"][TEST], "test row")
        text = f"{rows} do not show that the network is better than a constant answer."
        return _on_folds(NextStep("Test more rows.", text), "all rows are tested", document, with_changes({}))
    if not outcome and headline.error_gain(evaluation, baseline, name) > 0:
        text = f"R² does not decide on these rows; the mean absolute error is smaller than that of {rival}."
        return _on_folds(NextStep("Test more rows.", text), "all rows are tested", document, with_changes({}))
    if baseline == LINEAR_MODEL and outcome <= 0 and (changes := _to_linear(document)):
        value, effect = evaluation["baselines"][baseline][TEST].get(name), ""
        if value is not None:
            score = page_metric(name, value)
            effect = f"The linear model beside this run has {headline.words(name)} {score} on test rows."
        advice = f"Use the linear model: {'better' if outcome else 'equal'} and simpler."
        return NextStep(advice, "", with_changes(changes), effect)
    if outcome < 0:
        be = "are" if rival.endswith("s") else "is"  # the mean of five networks was better in 10 of 24 such runs
        text = "A search over other settings may find a better network: see [sweep] in the documentation."
        return NextStep(f"{rival.capitalize()} {be} better.", text)
    reason = ""
    if not outcome:
        reason = f"The network is as good as {rival}"
        reason += ", and predicts without the training rows." if baseline == "neighbours" else "."
    command = shlex.join(["specnet", "predict", folder, "new_rows.csv", "-o", "predictions.csv"])
    return NextStep("Predict new rows.", reason, command, "Or write the model as code or ONNX: specnet export.")


def _is_behind_linear(evaluation: Mapping[str, Any], name: str) -> bool:
    """Return whether a linear model is clearly better than the network by a statistic, and better than a constant."""
    gains = headline.known_gains(evaluation, name)
    constant, linear = gains.get(CONSTANT), gains.get(LINEAR_MODEL)
    return constant is not None and linear is not None and linear["high"] < min(0.0, constant["value"])


def _to_linear(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the changes that make a network a linear model; empty if it has no hidden layer."""
    network = value_at(document, ("network",)) or {}
    hidden, sizes, layers = map(network.get, ("hidden_layer_sizes", "layer_sizes", "layers"))
    if (hidden is not None and not len(hidden)) or len(sizes or ()) == 2 or len(layers or ()) == 1:
        return {}
    written = {key for key in LINEAR if value_at(document, tuple(key.split("."))) is not None}
    return {key: value for key, value in LINEAR.items() if value is not None or key in written}


def _on_folds(step: NextStep, reason: str, document: Mapping[str, Any], command: str) -> NextStep:
    """Return a step with the command that tests on folds, unless the spec says which rows are test rows."""
    split = value_at(document, ("data", "split"))
    if isinstance(split, Mapping) and not OWN_TEST_ROWS.isdisjoint(split):
        return step
    return step._replace(command=f"{command} --folds 5", effect=f"On folds, {reason}.")


def resuming(spec: str, settings: Sequence[str], folder: str) -> NextStep:
    """Return the next step after an interruption: to resume the run in its folder."""
    command = f"{command_of(spec, settings, {})} -o {shlex.quote(folder)} --resume"
    return NextStep(
        "Resume the run.", "It was interrupted: all figures are of a network that is not finished.", command
    )


def ranked(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings in the order in which to act on them.

    Errors are first, then those whose remedy is a command; the last ones are those whose remedy changes no prediction.
    """
    return sorted(findings, key=_rank)


def _rank(finding: Finding) -> tuple[bool, bool, bool]:
    return finding.code in MINOR, finding.severity != "error", not finding.changes


def _of_finding(finding: Finding, with_changes: Callable[[Changes], str]) -> NextStep:
    if finding.code == "no-signal":
        return NextStep("No signal: stop here.", _sentences(finding.sentence, finding.words), "", "", finding, True)
    command = with_changes(finding.changes) if finding.changes else ""
    name = f"{finding.code.replace('-', ' ').capitalize()}."
    if command:
        return NextStep(name, _sentences(finding.sentence), command, _sentences(finding.effect, finding.words), finding)
    return NextStep(name, _sentences(finding.sentence, finding.words), "", _sentences(finding.effect), finding)


def _of_failing(
    failing: Sequence[JudgedExpectation], finding: Finding | None, with_changes: Callable[[Changes], str], folder: str
) -> NextStep:
    """Return the step after expectations that end a run with status 3: the first in words, with a finding's remedy.

    Those that are undecided are the last; if there are no others, more test rows are the remedy.
    """
    first, text = failing[0], _failing_in_words(failing)
    if first["outcome"] == "undecided":
        is_on_new_rows = "better_than" not in first["expectation"]  # baselines are not saved
        command = shlex.join(["specnet", "evaluate", folder, "more_rows.csv"]) * is_on_new_rows
        return NextStep(UNDECIDED, text, command)
    if finding is None or not finding.changes or finding.code in MINOR:
        return NextStep(BROKEN, text)
    step = _of_finding(finding, with_changes)
    return step._replace(headline=BROKEN, text=f"{text} {step.headline.removesuffix('.')}: {step.text}")


def step_of_series(series: SavedSeries, folder: str) -> NextStep | None:
    """Return the next step after runs on folds or with seeds; None unless their expectations end them with status 3.

    Parameters
    ----------
    series : SavedSeries
    folder : str
        Path of its folder in commands.
    """
    judged = series.expectations
    failing = [each for each in in_order(judged) if each["counts"]]
    if not failing:
        return None
    text, first = _failing_in_words(failing), judged.index(failing[0])
    if failing[0]["outcome"] == "undecided":
        return NextStep(UNDECIDED, text)
    finished = [run for run in series.shown if run.state == FINISHED]
    broken = (run.judged_folder for run in finished if run.expectations[first]["outcome"] == "broken")
    if (run := next(broken, None)) is None:  # the intervals of single runs are open, their mean is not
        return NextStep(BROKEN, text)
    command = shlex.join(["specnet", "report", Path(folder, run.relative_to(series.path)).as_posix()])
    effect = "Makes the page of one of the runs that break it, with its findings and the rows that break it most."
    return NextStep(BROKEN, text, command, effect)


def _failing_in_words(failing: Sequence[JudgedExpectation]) -> str:
    first, more = failing[0], len(failing) - 1
    others = f" {counted(more, 'other expectation')} {'is' if more == 1 else 'are'} not met either." if more else ""
    return f"It expects {first['words']}, found {figure_in_words(first)}.{others}"


def _without_comparison(
    evaluation: Mapping[str, Any], document: Mapping[str, Any], with_changes: Callable[[Changes], str]
) -> NextStep:
    if TEST not in evaluation:
        command = with_changes({"data.split.test_size": 0.2})
        return NextStep("Hold out test rows.", "Only rows that training has not seen show what to expect.", command)
    command = with_changes({"training.baselines": ["constant", "linear", "neighbours"]})
    return NextStep("Compare it with simpler models.", command=command)


def command_of(spec: str, settings: Iterable[str], changes: Changes) -> str:
    """Return the command that runs a spec with settings, changed by further values; None removes a key.

    Settings that a change overrides are left out. One whose key is removed is not: only it may have set the key.
    """
    overridden = {path for path, value in changes.items() if value is not None}

    def is_unchanged(setting: str) -> bool:
        key = setting.partition("=")[0].strip()
        return key not in overridden and not key.startswith(tuple(f"{path}." for path in overridden))

    unchanged = filter(is_unchanged, settings)
    changed = [f"{path}={_value(value)}" for path, value in changes.items()]
    return shlex.join(["specnet", "run", spec, *(word for each in (*unchanged, *changed) for word in ("--set", each))])


def _value(value: Any) -> str:
    """Return a value as ``--set`` reads it: a text of letters needs no quotes."""
    if value is None:
        return ""
    return value if isinstance(value, str) and _BARE_TEXT.fullmatch(value) else toml_value(value)


def as_sentence(text: str) -> str:
    """Return a text as a sentence; a key such as ``layers.0`` at its start is not capitalized."""
    first = text.partition(" ")[0]
    start = text[:1].upper() if first.isalpha() else text[:1]
    return f"{start}{text[1:].removesuffix('.')}." if text else ""


def _sentences(*texts: str) -> str:
    return " ".join(filter(None, map(as_sentence, texts)))
