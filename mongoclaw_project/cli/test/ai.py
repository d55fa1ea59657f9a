"""`mongoclaw test ai`."""

from __future__ import annotations

import click
from pydantic import ValidationError

from agents_app.spec import AISpec
from enrichment.providers import ModelReply, ModelRequest, provider_for, route
from executions_app.cost import cost_text, usd
from executions_app.provider_config import provider_config
from mongoclaw_project.cli.command import Command
from mongoclaw_project.cli.output import SUCCESS, fail, show
from mongoclaw_project.config import current


@click.command(cls=Command)
@click.option("--model", metavar="NAME", help="The model. [default: MONGOCLAW_AI__DEFAULT_MODEL]")
@click.option("--provider", metavar="NAME", help="Who serves it. [default: MONGOCLAW_AI__DEFAULT_PROVIDER]")
@click.option("--prompt", default="Say 'hello' in one word.", show_default=True, help="What to ask.")
def ai(model: str | None, provider: str | None, prompt: str) -> None:
    """Ask the model one question. This is a real call and may cost a fraction of a cent."""
    settings = current().ai
    try:
        asked = AISpec(
            provider=provider or settings.default_provider,
            model=model or settings.default_model,
            prompt=prompt,
        )
    except ValidationError as error:
        fail("; ".join(f"--{detail['loc'][0]}: {detail['msg']}" for detail in error.errors()))
    config = provider_config()
    request = ModelRequest(
        model=asked.model,
        user=prompt,
        temperature=settings.default_temperature,
        max_tokens=settings.default_max_tokens,
        timeout=settings.request_timeout,
    )
    reply = provider_for(asked, config).complete(request)
    show(facts(reply), text="\n".join(_lines(reply, sandbox=route(asked, config) == "sandbox")))


def facts(reply: ModelReply) -> dict[str, object]:
    """A reply as JSON values."""
    return {
        "response": reply.text,
        "model": reply.model,
        "provider": reply.provider,
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": reply.completion_tokens,
        "total_tokens": reply.total_tokens,
        "usage_estimated": reply.usage_estimated,
        "cost_usd": usd(reply.cost_nanousd),
        "latency_ms": reply.latency_ms,
        "finish_reason": reply.finish_reason,
    }


def bill(reply: ModelReply) -> list[str]:
    """What a reply took, for people."""
    guess = " (estimated)" if reply.usage_estimated else ""
    return [
        f"Model:    {reply.provider}, {reply.model}",
        f"Tokens:   {reply.prompt_tokens} + {reply.completion_tokens} = {reply.total_tokens}{guess}",
        f"Cost:     {cost_text(reply.cost_nanousd)}",
        f"Latency:  {reply.latency_ms:,.0f} ms",
    ]


def _lines(reply: ModelReply, *, sandbox: bool) -> list[str]:
    lines = [f"{SUCCESS} AI provider connected", f"Response: {reply.text.strip()}", *bill(reply)]
    return [*lines, "This was the sandbox model, which is no language model."] if sandbox else lines
