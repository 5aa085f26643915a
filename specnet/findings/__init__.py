"""What went wrong in a run, in sentences, and what to set in its spec instead."""

from specnet.findings.evidence import Columns, Evidence, Gain, Held, LayerFacts, SpecFacts
from specnet.findings.finding import Finding
from specnet.findings.finding_rules import RULES, Rule, findings

__all__ = ["RULES", "Columns", "Evidence", "Finding", "Gain", "Held", "LayerFacts", "Rule", "SpecFacts", "findings"]
