"""What went wrong in a run, in sentences, and what to set in its spec instead.

In: `Evidence`, plain arrays and numbers of a run. Out: `Finding`s, causes before consequences. Start at
`finding_rules.judge`; each rule is a function of the evidence, by what it is about: data, steps, units, results.
"""

from specnet.findings.evidence import Evidence, Gap, Held, LayerFacts, OutOfFold, SpecFacts, TrainingColumns
from specnet.findings.finding import Finding
from specnet.findings.finding_rules import RULES, Judgement, Rule, judge

__all__ = [
    "RULES",
    "Evidence",
    "Finding",
    "Gap",
    "Held",
    "Judgement",
    "LayerFacts",
    "OutOfFold",
    "Rule",
    "SpecFacts",
    "TrainingColumns",
    "judge",
]
