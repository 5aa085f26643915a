"""What to do after a run: the sentence, the command and the effect that its page and the terminal show."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from specnet.files.plain_data import toml_value, value_at
from specnet.findings import Finding
from specnet.number_texts import counted, page_metric
from specnet.parts.splits import TEST
from specnet.report.pages import headline
from specnet.report.terminal.scores import CONSTANT
from specnet.saved.expectations_file import JudgedExpectation, figure_in_words, in_order

MINOR = frozenset({"constant-column"})
"""Codes of findings that are the next step only if there are no others: their remedies change no prediction."""
LINEAR: Mapping[str, Any] = {
    "network.layers": None,
    "network.layer_sizes": None,
    "network.activations": None,
    "network.hidden_layer_sizes": [],
    "training.calibration": None,
    "training.batch_size": None,
    "training.optimizer": "lbfgs",
    "training.l2": 0.001,
}
"""Settings of a linear model, which an optimizer without a learning rate fits best; None for those to remove."""
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
    if failing := [each for each in in_order(expectations) if each["counts"]]:
        return _of_failing(failing, first, spec, settings, folder)
    if headline.too_few_groups(evaluation) and (first is None or first.code in {*MINOR, "no-signal"}):
        command = f"{command_of(spec, settings, {})} --folds 5"
        return NextStep("Test more groups.", "", command, "On folds, every group is tested once.")
    if first is not None and (first.code not in MINOR or beside is None or beside[0] > 0):
        return _of_finding(first, spec, settings)
    if beside is None:
        return _without_comparison(evaluation, spec, settings)
    outcome, baseline, name = beside
    rival = headline.BASELINES.get(baseline, baseline)
    if baseline == CONSTANT and outcome <= 0:
        reason = "These columns and rows do not show that anything can be predicted: more rows, or other columns, may."
        return NextStep("Do not use this network." if outcome else "No clear signal.", reason)
    if baseline == "linear" and outcome <= 0:
        advice = f"Use the linear model: {'better' if outcome else 'equal'} and simpler."
        written = {key for key in LINEAR if value_at(document, tuple(key.split("."))) is not None}
        changes = {key: value for key, value in LINEAR.items() if value is not None or key in written}
        value, effect = evaluation["baselines"][baseline][TEST].get(name), ""
        if value is not None:
            score = page_metric(name, value, evaluation["gains"][baseline][name])
            effect = f"The linear model beside this run has {headline.words(name)} {score} on test rows."
        return NextStep(advice, "", command_of(spec, settings, changes), effect)
    if outcome < 0:
        advice = f"{rival.capitalize()} are better. Try the mean of five networks."
        return NextStep(advice, command=command_of(spec, settings, {"training.ensemble": 5}))
    reason = "" if outcome else f"The network is as good as {rival}, and predicts without the training rows."
    command = shlex.join(["specnet", "predict", folder, "new_rows.csv", "-o", "predictions.csv"])
    return NextStep("Predict new rows.", reason, command, "Or write the model as code or ONNX: specnet export.")


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


def _of_finding(finding: Finding, spec: str, settings: Sequence[str]) -> NextStep:
    if finding.code == "no-signal":
        return NextStep("No signal: stop here.", _sentences(finding.sentence, finding.words), "", "", finding, True)
    command = command_of(spec, settings, finding.changes) if finding.changes else ""
    name = f"{finding.code.replace('-', ' ').capitalize()}."
    if command:
        return NextStep(name, _sentences(finding.sentence), command, _sentences(finding.effect, finding.words), finding)
    return NextStep(name, _sentences(finding.sentence, finding.words), "", _sentences(finding.effect), finding)


def _of_failing(
    failing: Sequence[JudgedExpectation], finding: Finding | None, spec: str, settings: Sequence[str], folder: str
) -> NextStep:
    """Return the step after expectations that end a run with status 3: the first in words, with a finding's remedy.

    Those that are undecided are the last; if there are no others, more test rows are the remedy.
    """
    first, more = failing[0], len(failing) - 1
    others = f" {counted(more, 'other expectation')} {'is' if more == 1 else 'are'} not met either." if more else ""
    text = f"It expects {first['words']}, found {figure_in_words(first)}.{others}"
    if first["outcome"] == "undecided":
        name = "Test more rows: these do not decide what the spec expects."
        is_on_new_rows = "better_than" not in first["expectation"]  # baselines are not saved
        return NextStep(name, text, shlex.join(["specnet", "evaluate", folder, "more_rows.csv"]) * is_on_new_rows)
    name = "Do not use this model as it is: it breaks what the spec expects."
    if finding is None or not finding.changes or finding.code in MINOR:
        return NextStep(name, text)
    step = _of_finding(finding, spec, settings)
    return step._replace(headline=name, text=f"{text} {step.headline.removesuffix('.')}: {step.text}")


def _without_comparison(evaluation: Mapping[str, Any], spec: str, settings: Sequence[str]) -> NextStep:
    if TEST in evaluation:
        command = command_of(spec, settings, {"training.baselines": ["constant", "linear", "neighbours"]})
        return NextStep("Compare it with simpler models.", command=command)
    command = command_of(spec, settings, {"data.split.test_size": 0.2})
    return NextStep("Hold out test rows.", "Only rows that training has not seen show what to expect.", command)


def command_of(spec: str, settings: Iterable[str], changes: Mapping[str, Any]) -> str:
    """Return the command that runs a spec with settings, changed by further values; None removes a key."""
    unchanged = [setting for setting in settings if setting.partition("=")[0].strip() not in changes]
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
