"""What CONTRIBUTING.md says: a provider, a write strategy and a policy action are added in one file each."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
ADDED = {
    "enrichment/providers/own/parrot.py": """
from enrichment.providers.answering import answers
from enrichment.providers.base import ModelReply

class Parrot:
    name = "parrot"
    def complete(self, request):
        return ModelReply(request.user, "grey", self.name, 1, 1, 2, 0, 0.1)

@answers("parrot")
def parrot(ai, config):
    return Parrot()
""",
}
CHANGED = {
    "agents_app/spec/strategy.py": (
        "class Strategy(StrEnum):",
        "def _stack(landing):\n    return Assignment(pushes=landing.from_root)\n\n\nclass Strategy(StrEnum):",
        "    MERGE =",
        '    STACK = "stack", _stack\n    MERGE =',
    ),
    "agents_app/spec/action.py": (
        "    BLOCK =",
        '    QUARANTINE = "quarantine", "tags the answer and writes nothing", False, True\n    BLOCK =',
    ),
}
USED = """
from agents_app.spec import parse_spec
from enrichment.policy import compile_policy
from enrichment.providers import ModelRequest, ProviderConfig, account_of, provider_for
from enrichment.publish_checks import check
from enrichment.writeback.targets import assign

spec = parse_spec({
    "id": "a", "name": "A", "watch": {"database": "d", "collection": "c"},
    "ai": {
        "provider": "parrot", "prompt": "Say {{ document.text }}",
        "response_schema": {
            "type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"],
            "additionalProperties": False,
        },
    },
    "write": {"strategy": "stack"},
    "policy": {"condition": "result.word == 'no'", "action": "quarantine", "fallback_action": "enrich"},
}).spec
assert list(check(spec)) == []
assert account_of(spec.ai) == "parrot"
assert provider_for(spec.ai, ProviderConfig()).complete(ModelRequest("m", "hello")).text == "hello"
assert assign(spec, {"word": "yes", "invented": 1}).pushes == {"word": "yes"}
kept = compile_policy(spec.policy.content).decide({}, {"word": "no"})
assert (kept.write, kept.reason, kept.result["policy_tag"]) == (False, "policy_quarantine", "matched")
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the code, with a provider, a strategy and an action more: each in one file."""
    for package in ("agents_app", "enrichment"):
        shutil.copytree(
            ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("static", "__pycache__")
        )
    for name, text in ADDED.items():
        (tmp_path / name).write_text(text)
    for name, pairs in CHANGED.items():
        text = (tmp_path / name).read_text()
        for old, new in zip(pairs[::2], pairs[1::2], strict=True):
            assert text.count(old) == 1
            text = text.replace(old, new)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_each_is_added_in_one_file(checkout: Path) -> None:
    used = subprocess.run(
        [sys.executable, "-c", USED],
        cwd=checkout,
        env={"PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert used.returncode == 0, used.stderr


def test_the_files_are_those_that_contributing_names() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for name in (*CHANGED, "enrichment/providers/own/"):
        assert f"`{name}" in page or f" `{name}`" in page
