"""What each setting of an agent means, in a sentence or two; a test demands all and no others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from agents_app.spec.action import Action, FallbackAction, PolicyAction

GENERAL: Final[Mapping[str, str]] = {
    "id": (
        "The agent's name for programs. 1 to 64 of `a-z`, `0-9`, `_` and `-`, with a letter or digit at "
        "both ends. It never changes."
    ),
    "name": "The agent's name for people.",
    "description": "What it is for.",
    "enabled": "Whether it works. Changes from before an agent was enabled are not for it.",
    "tags": "Labels of your own; a list, or text with commas.",
    "metadata": "Anything of your own.",
    "version": "Managed by the server: each publication with other content has the next number.",
    "created_at": "Managed by the server.",
    "updated_at": "Managed by the server.",
    "watch": "Which changes of which collection it works on; see below.",
    "ai": "Which model is asked, and what; see below.",
    "write": "Where the answer is written; see below.",
    "execution": "Retries, deadlines, consistency and limits; see below.",
    "policy": "What is done with an answer, depending on document and answer; see below.",
}

WATCH: Final[Mapping[str, str]] = {
    "watch.database": "The database to watch.",
    "watch.collection": "The collection to watch; dots in its name are fine. It need not exist yet.",
    "watch.operations": (
        "Which kinds of change count. A run for a delete can only write to another collection; it has the "
        "document only with `watch.full_document_before_change`."
    ),
    "watch.filter": (
        "A MongoDB query, evaluated by MongoDB itself; Extended JSON is understood. Only documents that "
        "match when the change is seen, and still match when the run starts, are worked on."
    ),
    "watch.projection": "Meant to limit which fields are read.",
    "watch.full_document": (
        "Which state of the document is worked on. `updateLookup` and `default`: the newest. `whenAvailable` "
        "and `required`: the one that the change left, so that each change is a run of its own whatever "
        "`execution.coalesce` says, and `watch.filter` is evaluated on that state when the run starts. Where "
        "MongoDB does not have it, `whenAvailable` takes the newest state, and `required` ends the run as "
        "`image_missing`. The collection must keep images: `mongoclaw images enable DATABASE.COLLECTION`. "
        "A backfill always works on the newest state."
    ),
    "watch.full_document_before_change": (
        "Whether the prompt has the document as it was before the change, as `before`. Where edits were "
        "joined into one run (`execution.coalesce`), that is the state before the first of them. A delete has "
        "it as `document` too, and `watch.filter` is evaluated on it. Where MongoDB does not have it, "
        "`whenAvailable` leaves `before` null, and `required` ends the run as `image_missing`. The collection "
        "must keep images: `mongoclaw images enable DATABASE.COLLECTION`."
    ),
    "watch.fields": (
        "Only updates that change one of these dotted fields, something below it or all of what is above it "
        "count. An index stands for any element: a change of `items.0.price` is one of `items.price`, while "
        "`items.0.price` as a setting means the first alone. Inserts, replaces and deletes always count."
    ),
    "watch.on_history_lost": (
        "What to do when the oplog no longer holds changes that the agent has not seen: `backfill` works through "
        "the documents that are there, `skip_with_gap_record` goes on, `fail` holds the agent until somebody "
        "decides. Default: `backfill`, or `fail` where only deletes are watched."
    ),
}

AI: Final[Mapping[str, str]] = {
    "ai.provider": (
        "Who serves the model: `openai`, `anthropic`, `azure`, `bedrock`, `google`, `cohere`, `groq`, "
        "`mistral`, `ollama`, `together`, `openrouter`; `external` for an agent behind HTTP; `custom` for "
        "an OpenAI-compatible server of your own; `sandbox` for the built-in stand-in. Others are passed "
        "on with a warning."
    ),
    "ai.model": "The model's name at the provider. An unknown one draws a warning and is passed on.",
    "ai.prompt": (
        "A Jinja2 template over `document` (or `doc`), `before`, `event`, `operation`, `agent`, `now` and "
        "`timestamp`. A field that the document lacks ends the run as `prompt_field_missing`; "
        "`default(…)` gives it a value, whichever part of a path is missing."
    ),
    "ai.system_prompt": "A template like `ai.prompt`, sent as the system message.",
    "ai.temperature": "How freely the model answers; 0 is sent as 0.",
    "ai.max_tokens": (
        "The longest answer, in tokens. A cut answer is asked for again with more, twice at most."
    ),
    "ai.response_schema": (
        "A JSON Schema (draft 2020-12) that the answer must fit; one that does not is repaired by asking "
        "again, twice at most, and never written otherwise. Without it, a JSON object is taken as it is "
        "and other text becomes `{content: …}`."
    ),
    "ai.response_format": "Meant for providers' own formats; `ai.response_schema` decides.",
    "ai.api_key_ref": (
        "The environment variable of the workers that holds the key, such as `env:OPENAI_API_KEY`; "
        "without it, the provider's usual one. A key itself is refused."
    ),
    "ai.extra_params": (
        "Further parameters of the call, such as `top_p` or `seed`, from a list of those that are known; "
        "`base_url` for `custom`, and `external_url` with its kin for `external`."
    ),
}

WRITE: Final[Mapping[str, str]] = {
    "write.strategy": (
        "`merge` sets the answer's fields. `replace` also removes declared fields that the new answer "
        "lacks. `append` pushes the answer to `array_field`. `nested` sets its fields below `path`."
    ),
    "write.target_database": "Where to write, if not to the watched database.",
    "write.target_collection": (
        "Where to write, if not to the watched collection. There the document with the same `_id` is made "
        "if need be."
    ),
    "write.fields": (
        "Which keys of the answer are written, and to which path each: `{key: path}`. Others are dropped."
    ),
    "write.target_field": (
        "Write the answer as one object under this path. `merge` and `replace` need this, `fields`, or a "
        "schema that declares properties: a model must not choose the fields that it writes."
    ),
    "write.path": "Where `nested` writes.",
    "write.array_field": "The array that `append` pushes to.",
    "write.idempotency_key": "Meant for keys of your own; runs are idempotent by themselves.",
    "write.include_metadata": "Whether to write who answered, when, with how many tokens and at what cost.",
    "write.metadata_field": "Where that is written, with one entry for each agent below `agents`.",
}

EXECUTION: Final[Mapping[str, str]] = {
    "execution.max_retries": (
        "How often a run that failed is tried again. Waiting for a provider that limits or is away does "
        "not count."
    ),
    "execution.retry_delay_seconds": (
        "The longest wait before the first retry; it doubles with each, and the wait is a random part of it."
    ),
    "execution.retry_max_delay_seconds": (
        "The longest wait before any retry, unless the provider asks for more."
    ),
    "execution.timeout_seconds": (
        "How long a try may take, with all its calls. An answer that was paid for is still written."
    ),
    "execution.rate_limit_requests": (
        "Calls per minute, of the whole fleet; after a quiet time a tenth of it more may come at once. Runs beyond "
        "it wait."
    ),
    "execution.cost_limit_usd": (
        "US dollars in any hour, of the whole fleet; calls that are in the air when it is reached are still paid. "
        "Runs beyond it wait. A price that is not known counts as 0."
    ),
    "execution.token_limit": (
        "Tokens in any hour, of the whole fleet; calls that are in the air when it is reached still go on. Runs "
        "beyond it wait."
    ),
    "execution.priority": (
        "Waiting runs of higher priority go first, and half a minute of waiting counts as one step. Each agent has a "
        "small share of the fleet whatever its priority."
    ),
    "execution.weight": (
        "How large an agent's part of the fleet is beside others of its priority; one of weight 2 has twice as many "
        "runs going on."
    ),
    "execution.deduplicate": (
        "Whether a run whose prompt is the one that was answered already ends as `unchanged_input`, "
        "without a call."
    ),
    "execution.deduplicate_window_seconds": (
        "Meant as how long that holds; it holds as long as the answer stands."
    ),
    "execution.consistency_mode": (
        "What happens when the document changes while the model is asked. `eventual`: the answer is "
        "written onto the document as it is then. `strict_post_commit`: it is written only if no input "
        "has changed. `shadow`: all is done but the write."
    ),
    "execution.max_concurrency": "Model calls at a time, of the whole fleet. Runs beyond it wait.",
    "execution.require_document_hash_match": (
        "In `strict_post_commit`: whether any change of the document counts, not only one of what the "
        "prompt used."
    ),
    "execution.coalesce": (
        "Whether further changes of a document join its run while that waits. If not, each change is a "
        "run, in order."
    ),
    "execution.max_hops": (
        "How many runs in a row agents may set off by each other's writes before `max_hops` ends it."
    ),
    "execution.on_conflict": (
        "In `strict_post_commit`: whether a run that met a change ends (`skip`) or starts again."
    ),
}


def _told(actions: Iterable[Action]) -> str:
    return ", ".join(f"`{action.value}` {action.meaning}" for action in actions)


POLICY: Final[Mapping[str, str]] = {
    "policy.condition": (
        "An expression over `document` and `result`: comparisons, `and`, `or`, `not`, `in`, dotted names, "
        "indexes, numbers, texts, lists. Without one it always holds; values that do not compare make it "
        "not hold."
    ),
    "policy.action": f"What is done if it holds: {_told(PolicyAction)}.",
    "policy.fallback_action": f"What is done if it does not hold: {_told(FallbackAction)}.",
    "policy.simulation_mode": "Whether only the decision is put on record, and nothing is written.",
    "policy.tag_field": "The field that `tag` adds to the answer.",
    "policy.tag_value": "Its value.",
    "policy.use": (
        "The name of a policy that agents share, in place of all of the above. Publishing the policy publishes "
        "the agents that use it."
    ),
}

MEANINGS: Final[Mapping[str, str]] = {**GENERAL, **WATCH, **AI, **WRITE, **EXECUTION, **POLICY}
