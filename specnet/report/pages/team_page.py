"""The page of a team: how good it is, its networks, and its answers for test rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from specnet.model import Model
from specnet.number_texts import count, counted, percent
from specnet.report.overview import Overview
from specnet.report.pages.answer_charts import beginning_of, results_of
from specnet.report.pages.model_answers import ModelAnswers
from specnet.report.pages.page_templates import rendered
from specnet.report.terminal.text_tables import TextTable


def team_page(shown: ModelAnswers, evaluation: Mapping[str, Any], shares: Mapping[str, int]) -> str:
    """Return the page of a team as HTML.

    Parameters
    ----------
    shown : ModelAnswers
    evaluation : mapping
        What its ``metrics.json`` says.
    shares : mapping
        How often each trial counts, by its number. The model has as many networks of each trial, one after the other.
    """
    spec, networks = shown.model.spec, sum(len(each.members) for each in shown.model.networks)
    name, sizes = spec.name or "unnamed", (counted(len(shares), "trial"), counted(networks, "network"))
    return rendered(
        "team.html.j2",
        name=name,
        kicker=[name, "team", *sizes, f"predicts {shown.target}"],
        networks=_networks(shown.model, shares),
        **beginning_of(evaluation, spec.training.metrics, "team"),
        **results_of(shown, evaluation),
        worst=None,
    )


def _networks(model: Model, shares: Mapping[str, int]) -> TextTable:
    """Return the trials with their shares and networks."""
    rows, networks, runs = [], iter(model.networks), len(model.networks) // len(shares)
    for trial, share in shares.items():
        own = [next(networks) for _ in range(runs)]
        counts = count(sum(len(each.members) for each in own)), count(sum(each.theta.size for each in own))
        summary = Overview(own[0].network.resolved).summary()
        rows.append([f"trial {int(trial)}", percent(share / sum(shares.values())), summary, *counts])
    return TextTable(["trial", "share", "network", "networks", "parameters"], rows, right=frozenset([1, 3, 4]))
