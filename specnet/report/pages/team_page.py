"""The page of a team: how good it is, its networks, and its answers for test rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from specnet.number_texts import count, counted, percent
from specnet.report.overview import Overview
from specnet.report.pages.answer_charts import beginning_of, results_of
from specnet.report.pages.model_answers import ModelAnswers
from specnet.report.pages.page_templates import rendered
from specnet.report.terminal.text_tables import TextTable
from specnet.spec import Resolved


class TeamMember(NamedTuple):
    """A trial in a team.

    Attributes
    ----------
    trial : int
    share : float
        In sum 1.
    resolved : Resolved
        Its network.
    networks : int
        How many of them it has.
    parameters : int
        Of all.
    """

    trial: int
    share: float
    resolved: Resolved
    networks: int
    parameters: int


def team_page(shown: ModelAnswers, evaluation: Mapping[str, Any], members: Sequence[TeamMember]) -> str:
    """Return the page of a team as HTML.

    Parameters
    ----------
    shown : ModelAnswers
    evaluation : mapping
        What its ``metrics.json`` says.
    members : sequence of TeamMember
    """
    spec, networks = shown.model.spec, sum(each.networks for each in members)
    name, sizes = spec.name or "unnamed", (counted(len(members), "trial"), counted(networks, "network"))
    return rendered(
        "team.html.j2",
        name=name,
        kicker=[name, "team", *sizes, f"predicts {shown.names.target}"],
        networks=_networks(members),
        **beginning_of(evaluation, spec.training.metrics, "team"),
        **results_of(shown, evaluation),
        worst=None,
    )


def _networks(members: Sequence[TeamMember]) -> TextTable:
    """Return the trials with their shares and networks."""
    rows = []
    for each in members:
        counts = count(each.networks), count(each.parameters)
        rows.append([f"trial {each.trial}", percent(each.share), Overview(each.resolved).summary(), *counts])
    return TextTable(["trial", "share", "network", "networks", "parameters"], rows, right=frozenset([1, 3, 4]))
