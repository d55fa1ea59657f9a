"""Compiles templates, and renders them within bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final

from jinja2 import Template, TemplateSyntaxError, UndefinedError
from jinja2.meta import find_undeclared_variables

from agents_app.errors import MongoClawError
from enrichment.prompt.errors import (
    PromptFieldMissing,
    PromptInvalid,
    PromptRenderError,
    PromptTooExpensive,
    PromptTooLarge,
)
from enrichment.prompt.template.environment import ENVIRONMENT
from enrichment.prompt.template.meter import Limits, Meter, MeteredContext
from enrichment.prompt.template.rewrite import rewrite
from enrichment.prompt.template.syntax import NotAllowed, check_syntax

DEFAULT_LIMITS: Final = Limits()
_FILE: Final = "<prompt>"
_LONGEST_ERROR: Final = 300


@dataclass(frozen=True, slots=True)
class CompiledTemplate:
    """A template ready to render; immutable and safe to share between threads.

    `path` is the setting that holds it. `variables` are the names that it uses.
    """

    path: str
    variables: frozenset[str]
    _template: Template = field(repr=False)
    _limits: Limits = field(repr=False)

    def render(self, variables: Mapping[str, Any]) -> str:
        """Return the text, without blank lines at both ends. Raises PromptRenderError or a class below it."""
        context = self._template.new_context(dict(variables))
        if isinstance(context, MeteredContext):
            context.meter = Meter(self._limits)
        try:
            return trimmed("".join(self._chunks(context)))
        except MongoClawError as error:
            raise self._placed(error, type(error)) from error
        except UndefinedError as error:
            raise self._placed(error, PromptFieldMissing) from error
        except (RecursionError, MemoryError, OverflowError) as error:
            raise self._placed(error, PromptTooExpensive) from error
        except Exception as error:  # whatever a template provokes is a failure of this document
            raise self._placed(error, PromptRenderError) from error

    def _chunks(self, context: Any) -> list[str]:
        chunks: list[str] = []
        size = 0
        for chunk in self._template.root_render_func(context):
            chunks.append(chunk)
            size += len(chunk)
            if size > self._limits.output:
                raise PromptTooLarge(f"the rendered prompt has more than {self._limits.output:,} characters")
        return chunks

    def _placed(self, error: Exception, kind: type[MongoClawError]) -> MongoClawError:
        line = self._line(error.__traceback__)
        place = self.path if line is None else f"{self.path}, line {line}"
        text = str(error)[:_LONGEST_ERROR] or type(error).__name__
        return kind(f"{place}: {text}", path=self.path, line=line)

    def _line(self, trace: TracebackType | None) -> int | None:
        line = None
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == _FILE:
                line = self._template.get_corresponding_lineno(trace.tb_lineno)
            trace = trace.tb_next
        return line


def compile_template(source: str, path: str, limits: Limits = DEFAULT_LIMITS) -> CompiledTemplate:
    """Return the template, checked and compiled. Raises PromptInvalid with the line of the first fault."""
    if len(source) > limits.template:
        raise PromptInvalid(f"has more than {limits.template:,} characters", path=path)
    try:
        tree = ENVIRONMENT.parse(source)
        check_syntax(tree, limits)
        variables = frozenset(find_undeclared_variables(tree))
        rewrite(tree)
        code = ENVIRONMENT.compile(tree, filename=_FILE)
    except TemplateSyntaxError as error:
        raise PromptInvalid(str(error.message), path=path, line=error.lineno) from error
    except NotAllowed as error:
        raise PromptInvalid(str(error), path=path, line=error.line) from error
    except (RecursionError, MemoryError, OverflowError, SyntaxError) as error:
        raise PromptInvalid("is nested too deeply", path=path) from error
    except ValueError as error:  # a number with more digits than Python reads
        raise PromptInvalid(str(error)[:_LONGEST_ERROR], path=path) from error
    return CompiledTemplate(
        path, variables, Template.from_code(ENVIRONMENT, code, ENVIRONMENT.globals), limits
    )


def trimmed(text: str) -> str:
    """Return the text without blank lines at both ends."""
    start = len(text) - len(text.lstrip())
    end = len(text.rstrip())
    first = text.rfind("\n", 0, start) + 1
    last = text.find("\n", end)
    return "" if end == 0 else text[first : len(text) if last < 0 else last]
