"""What went wrong in a run, in sentences, and what to set in its spec instead.

In: `Evidence`, plain arrays and numbers of a run. Out: `Finding`s, causes before consequences. Start at
`finding_rules.findings`; each rule is a function of the evidence, by what it is about: data, steps, units, results.
"""

from specnet.findings.evidence import Evidence, Gain, Held, LayerFacts, SpecFacts, TrainingColumns
from specnet.findings.finding import Finding
from specnet.findings.finding_rules import RULES, Rule, findings

__all__ = [
    "RULES",
    "Evidence",
    "Finding",
    "Gain",
    "Held",
    "LayerFacts",
    "Rule",
    "SpecFacts",
    "TrainingColumns",
    "findings",
]
