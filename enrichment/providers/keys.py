"""Who serves a model, and where the key for it is.

Keys come from the environment, or from files in one directory. A key that belongs to a known provider is sent to
that provider only: an agent cannot name it for a server of its author's choice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from enrichment.errors import ProviderAuthFailed
from enrichment.providers.secret_files import file_secret


@dataclass(frozen=True, slots=True)
class Vendor:
    """A provider behind litellm: litellm's prefix for its models, and the variables that may hold its key."""

    prefix: str
    keys: tuple[str, ...]


VENDORS: Mapping[str, Vendor] = {
    "anthropic": Vendor("anthropic", ("ANTHROPIC_API_KEY",)),
    "azure": Vendor("azure", ("AZURE_API_KEY", "AZURE_OPENAI_API_KEY", "AZURE_AD_TOKEN")),
    "bedrock": Vendor(
        "bedrock", ("AWS_BEARER_TOKEN_BEDROCK", "AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_ROLE_ARN")
    ),
    "cohere": Vendor("cohere", ("COHERE_API_KEY", "CO_API_KEY")),
    "deepseek": Vendor("deepseek", ("DEEPSEEK_API_KEY",)),
    "google": Vendor("gemini", ("GEMINI_API_KEY", "GOOGLE_API_KEY")),
    "groq": Vendor("groq", ("GROQ_API_KEY",)),
    "mistral": Vendor("mistral", ("MISTRAL_API_KEY",)),
    "openai": Vendor("openai", ("OPENAI_API_KEY",)),
    "openrouter": Vendor("openrouter", ("OPENROUTER_API_KEY", "OR_API_KEY")),
    "together": Vendor("together_ai", ("TOGETHERAI_API_KEY", "TOGETHER_API_KEY", "TOGETHER_AI_API_KEY")),
    "vertex_ai": Vendor("vertex_ai", ("GOOGLE_APPLICATION_CREDENTIALS", "VERTEXAI_CREDENTIALS")),
    "xai": Vendor("xai", ("XAI_API_KEY",)),
}
KEYLESS = frozenset({"ollama", "ollama_chat", "lm_studio", "hosted_vllm", "llamafile"})
# Variables that litellm or the vendor's own library reads by itself; they are not passed on as keys.
_AMBIENT = frozenset(
    {
        "AWS_ACCESS_KEY_ID",
        "AWS_BEARER_TOKEN_BEDROCK",
        "AWS_PROFILE",
        "AWS_ROLE_ARN",
        "AZURE_AD_TOKEN",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "VERTEXAI_CREDENTIALS",
    }
)
_UNDECIDED = frozenset({"openai", "custom"})  # the default, and the contract's label for anything
_BY_PREFIX = {vendor.prefix: name for name, vendor in VENDORS.items()}
_BY_NAME = ((re.compile("claude-"), "anthropic"), (re.compile("gemini-"), "google"))
_KEY_NAME = re.compile(r"[A-Z][A-Z0-9_]*_(API_KEY|TOKEN|KEY)")
_INTERNAL = re.compile(r"(MONGOCLAW|DJANGO|CELERY|AWS|PG|POSTGRES|MONGO|REDIS)_|SECRET_KEY$")
_FILE = "file:"
_REFERENCE = re.compile(r"(?:env:)?(\w+)|\$\{(?:secret|env):(\w+)\}")


def vendor_of(provider: str, model: str) -> str:
    """Return who serves `model`: `ai.provider`, or, under the default one, what the model's name says."""
    prefix, slash, _ = model.partition("/")
    named = _BY_PREFIX.get(prefix, prefix) if slash else None
    if provider not in _UNDECIDED:
        # Google's models are served at two places; all others' prefixes may be part of a gateway's own names.
        return (
            "vertex_ai"
            if (provider, named) == ("google", "vertex_ai")
            else _BY_PREFIX.get(provider, provider)
        )
    if named is not None and (named in VENDORS or named in KEYLESS):
        return named
    return next((name for pattern, name in _BY_NAME if pattern.match(model)), "openai")


def model_name(provider: str, model: str) -> str:
    """Return litellm's name for `model`: with its vendor's prefix, which only OpenAI's do not need."""
    vendor = vendor_of(provider, model)
    prefix = VENDORS[vendor].prefix if vendor in VENDORS else vendor
    if vendor == "openai" or model.startswith(f"{prefix}/"):
        return model
    if vendor in VENDORS and model.startswith(f"{vendor}/"):
        model = model.removeprefix(f"{vendor}/")
    return f"{prefix}/{model}"


def key_names(vendor: str) -> tuple[str, ...]:
    """Return the variables that may hold the key of `vendor`; empty if it needs none."""
    if vendor in KEYLESS:
        return ()
    known = VENDORS.get(vendor)
    return known.keys if known is not None else (re.sub(r"\W", "_", vendor).upper() + "_API_KEY",)


def has_key(vendor: str, env: Mapping[str, str]) -> bool:
    """Say if `vendor` can be called: it needs no key, or one is in `env`."""
    names = key_names(vendor)
    return not names or any(env.get(name, "").strip() for name in names)


def vendor_key(vendor: str, env: Mapping[str, str]) -> str | None:
    """Return the key of `vendor`, or None if it needs none or its own library finds it.

    Raises ProviderAuthFailed if there is none.
    """
    names = key_names(vendor)
    for name in names:
        value = env.get(name, "").strip()
        if value:
            return None if name in _AMBIENT else value
    if names:
        raise ProviderAuthFailed(f"There is no API key for {vendor}: set {' or '.join(names)}")
    return None


def is_reference(text: str) -> bool:
    """Say if a text names the place of a secret, and is none itself."""
    return text.startswith(("env:", "${", _FILE))


def referenced_key(
    reference: str, env: Mapping[str, str], *, vendor: str | None = None, directory: Path | None = None
) -> str:
    """Return the key that `reference` names (`NAME`, `env:NAME`, `${secret:NAME}`, or `file:NAME` in `directory`).

    `vendor` is who it will be sent to; None is a server of the author's own. Raises ProviderAuthFailed if the
    name may not be used there, or holds nothing.
    """
    is_file = reference.startswith(_FILE)
    match = None if is_file else _REFERENCE.fullmatch(reference.strip())
    name = reference.removeprefix(_FILE) if is_file else (match[1] or match[2]) if match else ""
    _refuse_foreign(name, vendor)
    if is_file:
        return file_secret(name, directory, env)
    value = env.get(name, "").strip()
    if not value:
        raise ProviderAuthFailed(f"There is no API key: set {name}")
    return value


def _refuse_foreign(name: str, vendor: str | None) -> None:
    """Raise ProviderAuthFailed for what is not named as a key is, and for another vendor's; files are named alike."""
    variable = re.sub(r"[.-]", "_", name).upper()
    if not _KEY_NAME.fullmatch(variable) or _INTERNAL.search(variable):
        raise ProviderAuthFailed(
            "A key is named as env:TEAM_A_API_KEY or file:team-a-api-key, and is never one of MongoClaw's own"
        )
    owner = next((owner for owner, known in VENDORS.items() if variable in known.keys), None)
    if owner is not None and owner != vendor:
        raise ProviderAuthFailed(f"{name} is the key for {owner} and is sent to nobody else")
