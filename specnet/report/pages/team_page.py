"""The page of a team: how good it is, its networks, and its answers for test rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from specnet.number_texts import count, counted, percent
from specnet.report.overview import Overview
from specnet.report.pages.answer_charts import beginning_of, results_of
from specnet.report.pages.page_record import AnswersRecord
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


@dataclass(frozen=True, eq=False, kw_only=True)
class TeamRecord(AnswersRecord):
    """What the page of a team is made from.

    Attributes
    ----------
    members : sequence of TeamMember
    """

    members: Sequence[TeamMember]


def team_page(record: TeamRecord) -> str:
    """Return the page of a team as HTML."""
    name, networks = record.resolved.spec.name or "unnamed", sum(each.networks for each in record.members)
    sizes = counted(len(record.members), "trial"), counted(networks, "network")
    return rendered(
        "team.html.j2",
        name=name,
        kicker=[name, "team", *sizes, f"predicts {record.target}"],
        networks=_networks(record.members),
        **beginning_of(record.evaluation, record.resolved.spec.training.metrics, "team"),
        **results_of(record),
        worst=None,
    )


def _networks(members: Sequence[TeamMember]) -> TextTable:
    """Return the trials with their shares and networks."""
    rows = []
    for each in members:
        counts = count(each.networks), count(each.parameters)
        rows.append([f"trial {each.trial}", percent(each.share), Overview(each.resolved).summary(), *counts])
    return TextTable(["trial", "share", "network", "networks", "parameters"], rows, right=frozenset([1, 3, 4]))
