"""The summary of a run: a network compared with simpler predictors on the same rows, with the role of chance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from specnet.number_texts import count, counted, on_page, page_metric, percent
from specnet.parts.metrics import main_metric, metric_of
from specnet.parts.registry import installed_registry
from specnet.parts.splits import OUT_OF_FOLD, TEST, VALIDATION, best_split
from specnet.parts.watchers import LOSS
from specnet.report.terminal.scores import CONSTANT
from specnet.report.terminal.terminal_output import TextTable
from specnet.saved.metrics_file import RARE_AVERAGE_PRECISION

if TYPE_CHECKING:
    from specnet.report.svg.axes import Unit

BASELINES = {
    "linear": "a linear model",
    "neighbours": "the 15 nearest neighbours",
    "trees": "gradient-boosted trees",
    "constant": "a constant answer",
}
"""Names of simpler predictors in words, in the order in which pages name them."""
LEVEL = 0.05
"""The largest probability of a wrong verdict about a network that is as good as all baselines."""
UNPAIRED = "unpaired"
"""The method of the interval of a gain that comes from the intervals of both scores."""
_ROWS = {TEST: "test rows", OUT_OF_FOLD: "training rows out of fold", VALIDATION: "validation rows"}
VERDICTS = {-1: "Worse than", 0: "No clear difference from", 1: "Better than"}
_ABSOLUTE = "mean_absolute_error"
_AVERAGES = ("macro", "micro", "weighted")
_WORDS = {
    "r2": "R²",
    "f1": "F1",
    "roc_auc": "ROC AUC",
    "roc_auc_ovo": "ROC AUC one against one",
    "roc_auc_ovr": "ROC AUC one against the rest",
    RARE_AVERAGE_PRECISION: "average precision",
}


def rows_of(split: str) -> str:
    """Return the rows of a split in words, such as ``test rows``."""
    return _ROWS.get(split, "training rows")


def network(members: int) -> str:
    """Return "network" for one member, "ensemble" for more."""
    return "network" if members == 1 else "ensemble"


def score_name(evaluation: Mapping[str, Any]) -> str:
    """Return the metric by which a run is judged: accuracy or R², else the spec's first one, else the loss."""
    return main_metric(evaluation[best_split(evaluation)]) or LOSS


def words(name: str) -> str:
    """Return a metric's name in words, and the target to which it belongs, if its name ends with one."""
    metric = metric_of(name, installed_registry().names("metric")) or name
    what, _, average = metric.rpartition("_")
    plain = metric.replace("neg_", "negative ").replace("_", " ")
    shown = f"{average} {words(what)}" if average in _AVERAGES else _WORDS.get(metric, plain)
    target = name.removeprefix(metric).removeprefix("_")
    return f"{shown} of {target}" if target else shown


def on_axis(name: str, label: str) -> tuple[str, Unit]:
    """Return the label and the unit of an axis of a metric: accuracies are in percent, as in texts."""
    return (f"{label} in %", "percent") if name.endswith("accuracy") else (label, "number")


def in_words(table: TextTable) -> TextTable:
    """Return a table of metrics with names in words and typographic minus characters, as on pages."""
    rows = [[words(name), *map(on_page, cells)] for name, *cells in table.rows]
    return replace(table, header=[*map(words, table.header)], rows=rows)


def verdict(evaluation: Mapping[str, Any]) -> str:
    """Return a sentence about the quality of a network, compared with a simpler predictor if `comparison` has one.

    If one of two classes is rare, the first sentence is about the rows of this class.

    Parameters
    ----------
    evaluation : mapping
        Contents of ``metrics.json``.
    """
    split, beside = best_split(evaluation), comparison(evaluation)
    if beside is None:
        return _alone(evaluation, split)
    outcome, baseline, name = beside
    gain = evaluation["gains"][baseline][name]
    own, its = _both(evaluation, baseline, name)
    text = _values_text(name, f"{own} against {its}", evaluation, split)
    if few := too_few_groups(evaluation):
        return f"{_rare_class(evaluation)}{few} {text[0].upper()}{text[1:]}, beside {_rival(evaluation, baseline)}."
    start = "No better than" if baseline == CONSTANT and not outcome and gain["value"] <= 0 else VERDICTS[outcome]
    open_metric = "" if outcome else _of_absolute_error(evaluation, baseline, name)
    return f"{_rare_class(evaluation)}{start} {_rival(evaluation, baseline)}: {text}{open_metric}."


def comparison(evaluation: Mapping[str, Any]) -> tuple[int, str, str] | None:
    """Return the comparison of a network with one simpler predictor on test rows; None without intervals of gains.

    For a network that is as good as all predictors, the probability of an outcome other than 0 is at most `LEVEL`: the
    p-values of gains are multiplied by the number of statistics that can decide and, before the network is called
    worse, by the number of predictors (Bonferroni). The network is better if it is better than the predictor that is
    best by the same statistic; the choice of this predictor makes that less probable, not more.

    Returns
    -------
    tuple or None
        Outcome: 1 if the network is better, -1 if it is worse, 0 if chance alone may explain the difference. Then the
        name of the predictor, and the statistic that decides. The predictor is the constant if the network is worse
        than it, or not better; otherwise the best predictor by the statistic that decides, or by the loss if none does.
    """
    if not evaluation.get("gains"):
        return None
    gains = {name: known_gains(evaluation, name) for name in _deciding(evaluation)}
    gains = {name: each for name, each in gains.items() if each}
    if not gains:
        return None
    baselines = {baseline for each in gains.values() for baseline in each}
    level = LEVEL / len(gains)
    better = {
        name: {baseline for baseline, gain in each.items() if gain["value"] > 0 and _p_value(gain) <= level}
        for name, each in gains.items()
    }
    beaten = set[str]()  # by a statistic that is reported before the present one
    worse = []
    for number, (name, each) in enumerate(gains.items()):
        for baseline, gain in each.items():
            if gain["value"] < 0 and _p_value(gain) <= level / len(baselines) and baseline not in beaten:
                worse.append((baseline != CONSTANT, number, gain["value"], baseline, name))
        beaten |= better[name]
    if worse:
        return (-1, *min(worse)[3:])
    for name, each in gains.items():
        best = min(each, key=lambda baseline: each[baseline]["value"])
        if best in better[name]:
            return 1, best, name
    first, last = next(iter(gains)), next(reversed(gains))
    best = min(gains[last], key=lambda baseline: gains[last][baseline]["value"])
    baseline = CONSTANT if CONSTANT in baselines - beaten else best
    return 0, baseline, first if baseline in gains[first] else last


def rival_of(evaluation: Mapping[str, Any]) -> str:
    """Return the name of the predictor with which `comparison` compares a network; empty without a comparison."""
    beside = comparison(evaluation)
    return beside[1] if beside is not None else ""


def clearly_worse(compared: Mapping[str, Mapping[str, Any]]) -> tuple[str, list[str]]:
    """Return the statistic that decides between several runs, and the runs that are worse than the best one by it.

    For runs that are equally good, the probability that any is named is at most `LEVEL`. Each run may be the best by
    chance, so all pairs of runs count as tests: the p-values are compared with Holm's (1979) levels for so many, and
    for as many statistics as can decide.

    Parameters
    ----------
    compared : mapping
        By statistic: contents of ``metrics.json`` of the run that is best by it, with the other runs as baselines.

    Returns
    -------
    tuple
        The first statistic by which most runs are worse, and their names. If none is, the first statistic.
    """
    found: dict[str, list[str]] = {}
    for name, evaluation in compared.items():
        known = known_gains(evaluation, name)
        runs = len(evaluation["gains"]) + 1
        found[name] = []
        for number, other in enumerate(sorted(known, key=lambda other: _p_value(known[other]))):
            if _p_value(known[other]) > LEVEL / len(compared) / (runs * (runs - 1) // 2 - number):
                break
            if known[other]["value"] > 0:
                found[name].append(other)
    return max(found.items(), key=lambda item: len(item[1]))


def too_few_groups(evaluation: Mapping[str, Any]) -> str:
    """Return a sentence if no outcome other than 0 is possible, because test rows have too few groups; else nothing.

    The p-value of a test of n groups is at least 2^(1 − n). To be worse than one of several predictors, it must be at
    most as large as in `comparison`.
    """
    groups, beside = evaluation.get("groups", {}).get(TEST), comparison(evaluation)
    if groups is None or beside is None or beside[0]:
        return ""
    tests = len(_deciding(evaluation)) * len(evaluation["gains"])
    needed = 1 + math.ceil(math.log2(tests / LEVEL))
    if groups >= needed:
        return ""
    return f"Too few groups to tell: the test rows have {count(groups)}, and a paired test needs at least {needed}."


def _deciding(evaluation: Mapping[str, Any]) -> list[str]:
    """Return the statistics that decide; folders of earlier versions do not name them."""
    return evaluation.get("deciding") or list(dict.fromkeys((score_name(evaluation), LOSS)))


def known_gains(evaluation: Mapping[str, Any], name: str) -> dict[str, Mapping[str, float]]:
    """Return the gains in a statistic that have an interval, by baseline."""
    return {
        baseline: each[name]
        for baseline, each in evaluation.get("gains", {}).items()
        if name in each
        and None not in map(each[name].get, ("low", "value", "high"))
        and None not in compared_values(evaluation, baseline, name)
    }


def compared_values(evaluation: Mapping[str, Any], baseline: str, name: str) -> tuple[float | None, float | None]:
    """Return the values of a statistic for the network and for a baseline."""
    gain = evaluation["gains"][baseline][name]
    if "model" in gain:
        return gain["model"], gain["baseline"]
    its = evaluation.get("baselines", {}).get(baseline, {}).get(TEST, {})
    return evaluation.get(TEST, {}).get(name), its.get(name)


def _both(evaluation: Mapping[str, Any], baseline: str, name: str) -> Sequence[str]:
    """Return the texts of the values of a statistic for the network and for a baseline, with equal decimals."""
    both = compared_values(evaluation, baseline, name)
    return [page_metric(name, value, *filter(None, both)) for value in both]


def _p_value(gain: Mapping[str, float]) -> float:
    """Return the p-value of a gain: of a folder without one, 0 if its interval excludes 0, else 1."""
    return gain.get("p_value", 0.0 if gain["low"] > 0 or gain["high"] < 0 else 1.0)


def _rival(evaluation: Mapping[str, Any], baseline: str) -> str:
    """Return a baseline in words; the constant by the class that it predicts."""
    if baseline != CONSTANT:
        return BASELINES.get(baseline, baseline)
    label = evaluation.get("tables", {}).get(TEST, {}).get("constant_prediction")
    return BASELINES[CONSTANT] if label is None else f"always predicting {_class_name(label)}"


def _class_name(label: Any) -> str:
    return str(label) if isinstance(label, str) else f"class {label}"


def _of_absolute_error(evaluation: Mapping[str, Any], baseline: str, name: str) -> str:
    """Return a clause about the absolute error if it differs clearly where R² does not, else an empty text."""
    gain = error_gain(evaluation, baseline, name)
    if not gain:
        return ""
    own, its = _both(evaluation, baseline, _ABSOLUTE)
    size = "smaller" if gain > 0 else "larger"
    return f", too few to tell by R²; the mean absolute error is {size}, {own} against {its}"


def error_gain(evaluation: Mapping[str, Any], baseline: str, name: str) -> float:
    """Return by how much the absolute error is smaller than a baseline's; 0 if R² does not decide or by chance."""
    gain = known_gains(evaluation, _ABSOLUTE).get(baseline)
    return 0.0 if name != "r2" or gain is None or _p_value(gain) > LEVEL else gain["value"]


def _rare_class(evaluation: Mapping[str, Any]) -> str:
    """Return a sentence about the test rows of a rare class that are found; empty if no class is rare."""
    tables = evaluation.get("tables", {}).get(TEST, {})
    if RARE_AVERAGE_PRECISION not in _deciding(evaluation) or "confusion" not in tables:
        return ""
    confusion = tables["confusion"]
    rare = int(sum(confusion[1]) < sum(confusion[0]))
    label, found, rows = _class_name(tables["labels"][rare]), confusion[rare][rare], sum(confusion[rare])
    false_alarms = confusion[1 - rare][rare]
    if not found and not false_alarms:
        return f"Never predicts {label}: 0 of {_number(rows)} found. {_ranking(evaluation)}"
    alarms = (
        counted(false_alarms, "false alarm") if isinstance(false_alarms, int) else f"{false_alarms:.4g} false alarms"
    )
    what = label if isinstance(tables["labels"][rare], str) else f"rows of {label}"
    return f"Finds {_number(found)} of {_number(rows)} {what}, with {alarms}. "


def _number(rows: float) -> str:
    return count(rows) if isinstance(rows, int) else f"{rows:.4g}"


def _ranking(evaluation: Mapping[str, Any]) -> str:
    """Return a sentence about the order of probabilities, which may be right although no class is predicted."""
    ends = evaluation.get("intervals", {}).get(TEST, {}).get("roc_auc")
    if ends is None:
        return ""
    value = page_metric("roc_auc", evaluation[TEST]["roc_auc"])
    return f"It ranks {'better than' if ends['low'] > 0.5 else 'no better than'} chance: AUC {value}. "


def _alone(evaluation: Mapping[str, Any], split: str) -> str:
    """Return a sentence with the main metric of a network without a comparison."""
    name = score_name(evaluation)
    text = _values_text(name, page_metric(name, evaluation[split].get(name)), evaluation, split)
    text = f"{text} are right" if name == "accuracy" else f"{text[0].upper()}{text[1:]}"
    return f"{text}." if split == "test" else f"{text}. No rows were held out for testing."


def _values_text(name: str, values: str, evaluation: Mapping[str, Any], split: str) -> str:
    """Return values of a metric with the rows in words, such as ``94.7 % of 114 test rows`` or ``R² 0.86 on …``."""
    counts, plural = evaluation.get("rows", {}), rows_of(split)
    number = counts.get(split, counts.get("train"))
    rows = plural if number is None else counted(number, plural.replace("rows", "row", 1), plural)
    if name == "accuracy":
        return f"{values} of {rows}"
    return f"{'a loss of' if name == LOSS else words(name)} {values} on {rows}"


def beside_teacher(evaluation: Mapping[str, Any]) -> str:
    """Return a sentence about a network and its teacher, an empty text without a teacher.

    If the linear model is among the baselines and worse than the teacher in loss, the sentence says which fraction of
    the teacher's gain the network has.
    """
    teacher = evaluation.get("teacher")
    if not teacher:
        return ""
    if "networks" in teacher:
        ratio = teacher["parameters"] / max(1, teacher["own_parameters"])
        networks = counted(teacher["networks"], "network")
        text, its = f"Trained on the predictions of {networks} with {ratio:.0f} × its parameters", "their"
    else:
        text, its = "Trained on the predictions of another model", "its"
    split = best_split(teacher["agreement"])
    if split not in teacher["agreement"]:
        return f"{text}."
    ((name, value),) = teacher["agreement"][split].items()
    agreement = ""
    if value is not None:
        agreement = f"R² {page_metric(name, value)}" if name == "r2" else f"{percent(value)} agreement"
    linear = evaluation.get("baselines", {}).get("linear", {}).get(split, {}).get(LOSS)
    loss, own = teacher["metrics"][split].get(LOSS), evaluation[split].get(LOSS)
    gain = ""
    if None not in (linear, loss, own) and linear > loss:
        gain = f"{100 * (linear - own) / (linear - loss):.0f} % of {its} gain over a linear model"
    found = ", ".join(filter(None, (agreement, gain)))
    return f"{text}: {found} on {rows_of(split)}." if found else f"{text}."
