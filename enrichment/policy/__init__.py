"""Whether and how an answer is written, decided by the agent's policy.

`condition` is the language of `policy.condition`, `comparison` says how its values compare, and `decision` is
what follows for one answer.
"""

from __future__ import annotations

from enrichment.policy.decision import CompiledPolicy, PolicyDecision, PolicyInvalid, compile_policy

__all__ = ["CompiledPolicy", "PolicyDecision", "PolicyInvalid", "compile_policy"]
