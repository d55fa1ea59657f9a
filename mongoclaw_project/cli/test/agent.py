"""`mongoclaw test agent`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from agents_app.spec import AgentSpec, ConsistencyMode
from enrichment.extended_json import extended_json
from enrichment.policy import PolicyDecision
from enrichment.prompt import RenderedPrompt
from enrichment.providers import provider_for, route
from enrichment.trial import follow, question, render
from enrichment.writeback import WritePlan
from executions_app.provider_config import provider_config
from mongoclaw_project.cli.agent_id import AGENT_ID
from mongoclaw_project.cli.output import FAILURE
from mongoclaw_project.cli.sql import SqlCommand
from mongoclaw_project.cli.test.ai import bill, facts
from mongoclaw_project.cli.test.document import document_options, read_document
from mongoclaw_project.cli.test.sheet import Sheet
from mongoclaw_project.cli.test.stored import spec_of

Document = dict[str, Any]


@click.command(cls=SqlCommand)
@click.argument("agent_id", type=AGENT_ID, metavar="ID")
@document_options
@click.option("-y", "--yes", is_flag=True, help="Call the provider without asking.")
@click.option("--dry-run", is_flag=True, hidden=True, help="Always so: nothing is ever written.")
@click.pass_context
def agent(
    context: click.Context,
    agent_id: str,
    text: str | None,
    path: str | None,
    *,
    yes: bool,
    dry_run: bool,  # noqa: ARG001  # scripts for 1.0.4 give it
) -> None:
    """Try an agent on a document: prompt, answer, policy, and the update that would be written.

    Nothing is written. A provider that may cost money is called only after asking, or with --yes. Exits with
    1 if the answer does not fit.
    """
    spec, document = spec_of(agent_id), read_document(text, path)
    sheet = Sheet()
    prompts = render(spec, document, now=datetime.now(UTC)).prompts
    sheet.add("agent_id", spec.id)
    sheet.add("system_prompt", prompts.system, title="System prompt" if prompts.system else None)
    sheet.add("prompt", prompts.user, title="Prompt")
    if not (yes or _is_free(spec) or click.confirm("Call AI provider?", err=True)):
        sheet.add("called", value=False)
        sheet.finish()
        return
    fits = _try(sheet, spec, document, prompts)
    sheet.finish()
    context.exit(0 if fits else 1)


def _try(sheet: Sheet, spec: AgentSpec, document: Document, prompts: RenderedPrompt) -> bool:
    """Call the model and follow the answer to the update. Raises ProviderError, WriteRefused."""
    config = provider_config()
    reply = provider_for(spec.ai, config).complete(question(spec, prompts, longest=config.request_timeout))
    sheet.add("called", value=True)
    sheet.add("reply", facts(reply))
    sheet.say("\n".join(["── Reply", reply.text, "", *bill(reply), ""]))
    outcome = follow(spec, document, prompts, reply, now=datetime.now(UTC))
    if outcome.answer is None:
        sheet.add("problems", list(outcome.problems))
        sheet.say("\n".join(f"{FAILURE} {problem}" for problem in outcome.problems))
        sheet.say("A worker would ask again, telling the model these problems, twice at most.")
        return False
    sheet.add("answer", outcome.answer.value, title="Answer")
    sheet.add("fixes", list(outcome.answer.fixes))
    if outcome.decision is not None:
        _decided(sheet, outcome.decision)
    if outcome.plan is not None:
        _planned(sheet, outcome.plan)
        if spec.execution.consistency_mode is ConsistencyMode.SHADOW:
            sheet.say("A worker would not write it either: execution.consistency_mode is shadow.")
    return True


def _is_free(spec: AgentSpec) -> bool:
    return route(spec.ai, provider_config()) == "sandbox"


def _decided(sheet: Sheet, decision: PolicyDecision) -> None:
    told = {
        "matched": decision.matched,
        "action": decision.action,
        "write": decision.write,
        "reason": decision.reason,
        "error": decision.error,
    }
    sheet.add("policy", told)
    outcome = "would write the answer" if decision.write else f"would write nothing ({decision.reason})"
    sheet.say(f"Policy: {decision.action}; a worker {outcome}")
    if decision.error:
        sheet.say(f"The condition could not be decided and counts as not met: {decision.error}")
    sheet.say("")


def _planned(sheet: Sheet, plan: WritePlan) -> None:
    place = f"{plan.database}.{plan.collection}"
    told = {
        "namespace": place,
        "filter": extended_json(plan.filter),
        "update": extended_json(plan.update),
        "upsert": plan.upsert,
    }
    sheet.add("write", told)
    sheet.add("update", told["update"], title=f"Update that would be written to {place}")
    sheet.say("Nothing was written.")
