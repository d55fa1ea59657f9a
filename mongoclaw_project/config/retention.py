"""Settings of what is kept for how long."""

from __future__ import annotations

from pydantic import Field, model_validator

from mongoclaw_project.config.group import Group


class RetentionSettings(Group):
    """How long the ledger keeps what has ended. Nothing is deleted unless it is asked for here."""

    executions_days: int | None = Field(
        None,
        ge=1,
        description=(
            "Completed and skipped runs that ended so many days ago are deleted, with their model calls. "
            "When empty: kept for ever. The figures of `mongoclaw stats` stay."
        ),
    )
    texts_days: int | None = Field(
        None,
        ge=1,
        description=(
            "Prompts, replies and answers of completed and skipped runs are erased so many days after their end; "
            "the rest of the record stays. When empty: as long as the runs."
        ),
    )
    dead_letters_days: int | None = Field(
        None,
        ge=1,
        description=(
            "Failed runs that ended so many days ago are deleted, and cannot be run again; so are messages without a "
            "run that were read last so many days ago. When empty: kept for ever."
        ),
    )

    @model_validator(mode="after")
    def _texts_go_first(self) -> RetentionSettings:
        if self.texts_days and self.executions_days and self.texts_days > self.executions_days:
            raise ValueError(
                "MONGOCLAW_RETENTION__TEXTS_DAYS: must not be more than MONGOCLAW_RETENTION__EXECUTIONS_DAYS, "
                "which deletes them too"
            )
        return self
