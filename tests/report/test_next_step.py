"""What to do after a run: the first finding that matters, a simpler model, or the end."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from specnet.findings import Finding
from specnet.report.next_step import command_of, next_step, ranked, resuming
from specnet.saved.expectations_file import JudgedExpectation
from specnet.spec.reading.reader import apply_overrides


def evaluation(**gains: float) -> dict[str, Any]:
    """Return the record of a run that is better than baselines by these gains, each ± 0.1."""
    figures = {"loss": 1.0, "accuracy": 0.9}
    return {
        "rows": {"train": 100, "test": 50},
        "test": figures,
        "baselines": {name: {"test": figures} for name in gains},
        "gains": {
            name: {key: {"value": gain, "low": gain - 0.1, "high": gain + 0.1} for key in figures}
            for name, gain in gains.items()
        },
    }


def finding(code: str, severity: Any = "warning", changes: Any = (), **texts: str) -> Finding:
    return Finding(code, severity, f"{code} was seen", dict(changes), **texts)


CONSTANT = finding("constant-column", changes={"data.columns.a": "ignore"})
RATE = finding("rate-too-high", "error", {"training.optimizer.learning_rate": 0.01}, effect="a stable loss")
OVERFITTING = finding("overfitting", changes={"training.l2": 0.01}, words="or dropout")
NO_SIGNAL = finding("no-signal", "error", words="check the target")


DOCUMENT = {"network": {"layer_sizes": [2, 5, 1]}, "training": {"batch_size": 32}}
LINEAR = (
    "--set network.layer_sizes= --set 'network.hidden_layer_sizes=[]' --set training.batch_size= "
    "--set training.optimizer=lbfgs --set training.l2=0.001"
)


@pytest.mark.parametrize(
    ("findings", "gains", "headline", "command", "is_end"),
    [
        ([OVERFITTING, RATE], {"linear": 3}, "Rate too high.", "training.optimizer.learning_rate=0.01", False),
        ([CONSTANT, OVERFITTING], {"linear": 3}, "Overfitting.", "training.l2=0.01", False),
        ([CONSTANT], {"linear": 3}, "Constant column.", "data.columns.a=ignore", False),
        ([CONSTANT], {"linear": 0}, "Use the linear model: equal and simpler.", LINEAR, False),
        ([], {"linear": 0}, "Use the linear model: equal and simpler.", LINEAR, False),
        ([], {"linear": -3}, "Use the linear model: better and simpler.", LINEAR, False),
        ([], {"neighbours": -3}, "The 15 nearest neighbours are better.", "", False),
        ([], {"constant": 0}, "Test more rows.", "--folds 5", False),
        ([], {"constant": -3}, "Do not use this network.", "", False),
        ([NO_SIGNAL], {"constant": 0}, "No signal: stop here.", "", True),
        ([], {"linear": 3}, "Predict new rows.", "specnet predict 'a run' new_rows.csv", False),
        ([], {}, "Compare it with simpler models.", "training.baselines=", False),
    ],
)
def test_what_to_do(findings: list[Finding], gains: Any, headline: str, command: str, is_end: bool) -> None:
    step = next_step(findings, evaluation(**gains), DOCUMENT, "my spec.toml", ["training.epochs=3"], "a run")
    assert step.headline.startswith(headline)
    assert command in step.command
    assert bool(step.command) == bool(command)
    assert step.is_end == is_end
    if command and "predict" not in command:
        assert step.command.startswith("specnet run 'my spec.toml' --set training.epochs=3 --")


def test_a_linear_model_with_a_larger_error_is_not_equal() -> None:
    measured = evaluation(linear=0)
    scores = {"loss": 1.0, "r2": 0.9, "mean_absolute_error": 2.0}
    measured |= {"test": scores, "baselines": {"linear": {"test": {**scores, "mean_absolute_error": 2.5}}}}
    measured["gains"]["linear"] |= {
        "r2": {"value": 0.02, "low": -0.01, "high": 0.05},
        "mean_absolute_error": {"value": 0.5, "low": 0.2, "high": 0.8},
    }
    step = next_step([], measured, DOCUMENT, "spec.toml", [], ".")
    assert step.headline == "Test more rows."
    assert step.text.endswith("the mean absolute error is smaller than that of a linear model.")
    assert step.command == "specnet run spec.toml --folds 5"
    measured["gains"]["linear"]["mean_absolute_error"]["low"] = -0.2
    assert next_step([], measured, DOCUMENT, "spec.toml", [], ".").headline.startswith("Use the linear model")


def test_a_finding_has_its_effect_and_further_advice() -> None:
    step = next_step([OVERFITTING], evaluation(linear=3), {}, "spec.toml", [], ".")
    assert (step.text, step.effect, step.finding) == ("Overfitting was seen.", "Or dropout.", OVERFITTING)
    assert next_step([RATE], evaluation(linear=3), {}, "spec.toml", [], ".").effect == "A stable loss."
    assert [each.code for each in ranked([CONSTANT, OVERFITTING, RATE])] == [
        *("rate-too-high", "overfitting", "constant-column")
    ]


def expectation(words: str, outcome: Any = "broken", **changes: Any) -> JudgedExpectation:
    given: JudgedExpectation = {
        "expectation": {"metric": "accuracy"},
        "words": words,
        "outcome": outcome,
        "counts": outcome == "broken",
        "rows": 50,
        "measure": "accuracy",
        "value": 0.8,
    }
    return given | changes  # type: ignore[return-value] # keys of the same type


@pytest.mark.parametrize(
    ("findings", "judged", "headline", "text", "command"),
    [
        ([OVERFITTING], [expectation("a", "met")], "Overfitting.", "Overfitting was seen.", "specnet run"),
        ([OVERFITTING], [expectation("a", "undecided")], "Overfitting.", "Overfitting was seen.", "specnet run"),
        ([OVERFITTING], [expectation("a")], "Do not use", "80.0 %, 50 rows. Overfitting: ", "specnet run"),
        ([CONSTANT], [expectation("a")], "Do not use", "It expects a, found 80.0 %, 50 rows.", ""),
        ([NO_SIGNAL], [expectation("a")], "Do not use", "It expects a, found 80.0 %, 50 rows.", ""),
        (
            [],
            [expectation("a", "undecided", counts=True), expectation("b"), expectation("c")],
            "Do not use",
            "It expects b, found 80.0 %, 50 rows. 2 other expectations are not met either.",
            "",
        ),
        ([OVERFITTING], [expectation("a", "undecided", counts=True)], "Test more rows", "It expects a", "evaluate"),
        (
            [],
            [expectation("a", "undecided", counts=True, expectation={"better_than": "linear"})],
            "Test more rows",
            "It expects a",
            "",
        ),
    ],
)
def test_expectations_that_are_not_met_are_first(
    findings: list[Finding], judged: list[JudgedExpectation], headline: str, text: str, command: str
) -> None:
    """A remedy that changes no prediction meets no expectation; with more rows, an undecided one is decided."""
    step = next_step(findings, evaluation(linear=3), {}, "spec.toml", [], "runs/1", judged)
    assert step.headline.startswith(headline)
    assert text in step.text
    assert command in step.command
    assert bool(step.command) == bool(command)


def test_advice_for_the_linear_model_has_its_score() -> None:
    step = next_step([], evaluation(linear=0), DOCUMENT, "spec.toml", [], ".")
    assert step.effect == "The linear model beside this run has accuracy 90.0 % on test rows."


@pytest.mark.parametrize("findings", [[], [finding("no-signal", "error")]])
def test_too_few_groups_are_no_reason_to_stop(findings: list[Finding]) -> None:
    few = {**evaluation(constant=0.01, linear=0.02), "groups": {"test": 6}}
    step = next_step(findings, few, {}, "spec.toml", [], "runs/1")
    assert (step.headline, step.is_end) == ("Test more groups.", False)
    assert step.command == "specnet run spec.toml --folds 5"


@pytest.mark.parametrize("key", ["test", "validation", "column", "folds"])
def test_folds_are_advised_only_if_the_spec_does_not_choose_the_test_rows(key: str) -> None:
    few = {**evaluation(constant=0.01, linear=0.02), "groups": {"test": 6}}
    document = {"data": {"split": {key: "rows.csv"}}}
    for of, headline in ((few, "Test more groups."), (evaluation(constant=0), "Test more rows.")):
        step = next_step([], of, document, "spec.toml", [], "runs/1")
        assert (step.headline, step.command) == (headline, "")


LINEAR_NETWORKS = [{"hidden_layer_sizes": []}, {"layer_sizes": (3, 1)}, {"layers": [{"type": "dense"}]}]


@pytest.mark.parametrize("network", LINEAR_NETWORKS)
@pytest.mark.parametrize(("gain", "headline"), [(0, "Predict new rows."), (-3, "A linear model is better.")])
def test_a_linear_model_is_not_advised_to_be_one(network: dict[str, Any], gain: float, headline: str) -> None:
    step = next_step([], evaluation(linear=gain), {"network": network}, "spec.toml", [], ".")
    assert step.headline.startswith(headline)
    assert "without the training rows" not in step.text


def test_a_linear_model_that_predicts_is_a_signal() -> None:
    """The network is worse than both, but the linear model is better than the constant."""
    step = next_step([], evaluation(constant=-1, linear=-3), DOCUMENT, "spec.toml", [], ".")
    assert step.headline == "Use the linear model: better and simpler."
    step = next_step([], evaluation(constant=-3, linear=-1), DOCUMENT, "spec.toml", [], ".")
    assert step.headline == "Do not use this network."


@pytest.mark.parametrize(
    ("training", "baseline", "headline"),
    [
        ({}, "linear", "Overfitting."),
        ({"early_stopping": True}, "linear", "Use the linear model: better and simpler."),
        ({"l2": 0.003}, "linear", "Use the linear model: better and simpler."),
        ({"early_stopping": True}, "neighbours", "Overfitting."),
    ],
)
def test_remedies_against_overfitting_end_at_a_better_linear_model(
    training: dict[str, Any], baseline: str, headline: str
) -> None:
    step = next_step([OVERFITTING], evaluation(**{baseline: -3}), {"training": training}, "spec.toml", [], ".")
    assert step.headline == headline


def test_settings_are_left_out_only_if_a_change_overrides_them() -> None:
    """A removal has its setting before it, which may be the only one that sets the key."""
    settings = ["training.calibration=temperature", "training.optimizer.learning_rate=0.1", "training.optimizer_x=1"]
    command = command_of("a.toml", settings, {"training.calibration": None, "training.optimizer": "lbfgs"})
    assert command == (
        "specnet run a.toml --set training.calibration=temperature --set training.optimizer_x=1 "
        "--set training.calibration= --set training.optimizer=lbfgs"
    )
    data, _ = apply_overrides({"training": {}}, shlex.split(command)[4::2])
    assert data == {"training": {"optimizer_x": 1, "optimizer": "lbfgs"}}


def test_an_interrupted_run_is_to_be_resumed() -> None:
    step = resuming("spec.toml", ["training.epochs=9"], "a run")
    assert step.command == "specnet run spec.toml --set training.epochs=9 -o 'a run' --resume"


def test_without_test_rows_some_are_to_be_held_out() -> None:
    step = next_step([], {"rows": {"train": 9}, "train": {"loss": 1.0}}, {}, "spec.toml", [], ".")
    assert step.command == "specnet run spec.toml --set data.split.test_size=0.2"


@pytest.mark.parametrize(
    "value", ["relu", "true", "0.5", "two words", "it's", ["relu", "tanh"], {"type": "adam"}, 0.01, True, 3, [2, 16, 1]]
)
def test_commands_set_what_is_advised(value: Any) -> None:
    """What a shell makes of the command is what a spec takes; earlier settings of the same key are dropped."""
    words = shlex.split(command_of("a spec.toml", ["a.b=1", "a.c=7"], {"a.b": value}))
    assert words[:3] == ["specnet", "run", "a spec.toml"]
    assert words[3::2] == ["--set", "--set"]
    data, _ = apply_overrides({"a": {"b": 0, "c": 0}}, words[4::2])
    assert data == {"a": {"b": value, "c": 7}}
