"""The specification of an agent: pure values and rules, without Django."""

from __future__ import annotations

from agents_app.errors import SpecInvalid, SpecProblem
from agents_app.spec.action import FallbackAction, PolicyAction
from agents_app.spec.agent import SECTIONS, AgentSpec
from agents_app.spec.ai import AISpec
from agents_app.spec.canonical import (
    behaviour_hash,
    canonical_json,
    content_hash,
    declared,
    dump_filled_yaml,
    dump_json,
    dump_yaml,
    policy_hash,
    to_yaml,
)
from agents_app.spec.execution import ConsistencyMode, ExecutionSpec
from agents_app.spec.load import load_policy, load_spec, read_text
from agents_app.spec.names import RESERVED_IDS, VERSION_FIELD
from agents_app.spec.parse import ParsedSpec, parse_spec
from agents_app.spec.policy import PolicyContent, PolicySpec
from agents_app.spec.problems import known_paths
from agents_app.spec.shared_policy import ParsedPolicy, SharedPolicySpec, parse_policy, write_policy
from agents_app.spec.strategy import Strategy
from agents_app.spec.watch import HistoryPolicy, Operation, WatchSpec
from agents_app.spec.without_effect import NO_EFFECT
from agents_app.spec.write import WriteSpec

__all__ = [
    "NO_EFFECT",
    "RESERVED_IDS",
    "SECTIONS",
    "VERSION_FIELD",
    "AISpec",
    "AgentSpec",
    "ConsistencyMode",
    "ExecutionSpec",
    "FallbackAction",
    "HistoryPolicy",
    "Operation",
    "ParsedPolicy",
    "ParsedSpec",
    "PolicyAction",
    "PolicyContent",
    "PolicySpec",
    "SharedPolicySpec",
    "SpecInvalid",
    "SpecProblem",
    "Strategy",
    "WatchSpec",
    "WriteSpec",
    "behaviour_hash",
    "canonical_json",
    "content_hash",
    "declared",
    "dump_filled_yaml",
    "dump_json",
    "dump_yaml",
    "known_paths",
    "load_policy",
    "load_spec",
    "parse_policy",
    "parse_spec",
    "policy_hash",
    "read_text",
    "to_yaml",
    "write_policy",
]
