"""What can be wrong with a prompt template, and with rendering it for one document."""

from __future__ import annotations

from agents_app.errors import MongoClawError, SpecInvalid, SpecProblem


class PromptInvalid(SpecInvalid):
    """The prompt template cannot be used.

    `path` names the setting; `line` counts from 1 within the template.
    """

    code = "prompt_invalid"

    def __init__(self, message: str, *, path: str = "ai.prompt", line: int | None = None) -> None:
        self.path = path
        self.line = line
        # The problem's own `line` would be one of the whole specification, which is not known here.
        text = message if line is None else f"line {line}: {message}"
        super().__init__(errors=[SpecProblem(path, text)])


class PromptRenderError(MongoClawError):
    """The prompt cannot be rendered for this document."""

    code = "prompt_render_failed"


class PromptFieldMissing(PromptRenderError):
    """The prompt uses a field that the document does not have."""

    code = "prompt_field_missing"


class PromptTooExpensive(PromptRenderError):
    """The prompt takes too much time or memory to render for this document."""

    code = "prompt_too_expensive"


class PromptTooLarge(PromptRenderError):
    """The rendered prompt is too large."""

    code = "prompt_too_large"
