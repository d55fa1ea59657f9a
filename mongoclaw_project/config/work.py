"""Settings of the work: the model calls, the workers and the watcher."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field, field_validator

from mongoclaw_project.config.group import ACCEPTED, Group


class RoutingStrategy(StrEnum):
    """How messages are spread over queues."""

    BY_AGENT = "by_agent"
    BY_COLLECTION = "by_collection"
    SINGLE = "single"
    PARTITIONED = "partitioned"
    BY_PRIORITY = "by_priority"


class OverflowPolicy(StrEnum):
    """What becomes of changes for an agent that has too much waiting."""

    DROP = "drop"
    DEFER = "defer"
    DLQ = "dlq"


class AISettings(Group):
    """The model calls."""

    default_provider: str = Field(
        "openai", description="The provider of `mongoclaw test ai`, and what `mongoclaw info` shows."
    )
    default_model: str = Field(
        "gpt-4o-mini", description="The model of `mongoclaw test ai`, and what `mongoclaw info` shows."
    )
    default_temperature: float = Field(
        0.7, ge=0, le=2, json_schema_extra=ACCEPTED, description="The temperature of `mongoclaw test ai`."
    )
    default_max_tokens: int = Field(
        2048, ge=1, json_schema_extra=ACCEPTED, description="The token limit of `mongoclaw test ai`."
    )
    request_timeout: float = Field(
        60.0,
        gt=0,
        description="How long one model call may take, in seconds; a run's own deadline may be nearer.",
    )
    max_retries: int = Field(
        3,
        ge=0,
        json_schema_extra=ACCEPTED,
        description="Agents say this themselves: `execution.max_retries`.",
    )
    cache_enabled: bool = Field(
        default=True,
        json_schema_extra=ACCEPTED,
        description="The answer cache of 1.0.4, which nothing reads.",
    )
    cache_ttl_seconds: int = Field(
        3600, ge=0, json_schema_extra=ACCEPTED, description="How long that cache keeps an answer, in seconds."
    )
    global_cost_limit_usd: float | None = Field(
        None, ge=0, json_schema_extra=ACCEPTED, description="Agents say this themselves, for now."
    )
    global_token_limit: int | None = Field(
        None, ge=0, json_schema_extra=ACCEPTED, description="Agents say this themselves, for now."
    )
    direct_client: bool = Field(
        default=True,
        description=(
            "Whether OpenAI, OpenRouter, Groq, Ollama, vLLM and LM Studio are called directly, "
            "for a third of the CPU; else through litellm, like all others."
        ),
    )
    sandbox_url: str | None = Field(
        None,
        description=(
            "An OpenAI-compatible server that answers for every provider without a key. "
            "`mongoclaw dev` sets it to the built-in sandbox, which is no language model."
        ),
    )

    @field_validator("sandbox_url")
    @classmethod
    def _is_an_http_url(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://")
        return value


class WorkerSettings(Group):
    """The Celery workers."""

    pool_size: int = Field(
        64, ge=1, le=1000, description="Threads, hence runs at a time, of one worker process."
    )
    heartbeat_seconds: float = Field(
        1.0, gt=0, description="How often a worker says that its runs are alive, in seconds."
    )
    heartbeat_timeout_seconds: float = Field(
        6.0, gt=0, description="A run whose worker was silent for so long is given to another, in seconds."
    )
    poison_after: int = Field(
        5,
        ge=0,
        description=(
            "A run that so many workers in a row died under becomes a dead letter, `poison_run`. A worker that was "
            "asked to stop does not count. 0: never."
        ),
    )
    window_per_agent: int = Field(
        256,
        ge=1,
        description="Most runs of one agent that are in the broker at a time; the others wait in SQL.",
    )
    window_per_slot: float = Field(
        2.0,
        ge=1,
        description=(
            "Rows that are in the broker or at work, for each thread of the fleet. "
            "What waits in the broker cannot be rearranged; the others wait in SQL and take fair turns."
        ),
    )
    routing_strategy: RoutingStrategy = Field(
        RoutingStrategy.SINGLE,
        description=(
            "How messages are spread over queues, for workers that serve some of them only. `single` by default, "
            "and not `by_agent` as in 1.0.4: fairness and priorities are kept in SQL whatever the queue, and "
            "fifty queues cost a fifth of a worker's throughput."
        ),
    )
    routing_partition_count: int = Field(
        8,
        ge=1,
        le=256,
        description=(
            "Queues of the `partitioned` strategy, and of `by_agent` and `by_collection` where there are more than "
            "64 agents or collections."
        ),
    )
    batch_size: int = Field(10, ge=1, json_schema_extra=ACCEPTED, description="One message is one run here.")
    fair_scheduling_enabled: bool = Field(
        default=True, json_schema_extra=ACCEPTED, description="Agents always take turns here."
    )
    fair_stream_batch_size: int = Field(
        1, ge=1, json_schema_extra=ACCEPTED, description="Part of the fair scheduling of 1.0.4."
    )
    fair_streams_per_cycle: int | None = Field(
        None, ge=1, json_schema_extra=ACCEPTED, description="Part of the fair scheduling of 1.0.4."
    )
    max_in_flight_per_agent_stream: int | None = Field(
        None,
        ge=1,
        json_schema_extra=ACCEPTED,
        description="Agents say this themselves: `execution.max_concurrency`.",
    )
    pending_metrics_interval_seconds: float = Field(
        10.0, gt=0, json_schema_extra=ACCEPTED, description="Depths are counted when they are asked for."
    )
    starvation_cycle_threshold: int = Field(
        20, ge=1, json_schema_extra=ACCEPTED, description="Part of the fair scheduling of 1.0.4."
    )
    dispatch_backpressure_enabled: bool = Field(
        default=True, description="Whether DISPATCH_OVERFLOW_POLICY is applied to agents with much waiting."
    )
    dispatch_backpressure_threshold: float = Field(
        0.8,
        ge=0,
        le=1,
        description=(
            "An agent is under pressure from this part of REDIS__STREAM_MAX_LEN waiting rows on, "
            "and until three quarters of that are left."
        ),
    )
    dispatch_overflow_policy: OverflowPolicy = Field(
        OverflowPolicy.DEFER,
        description=(
            "What becomes of further changes then. `defer`: they wait. `drop`: they end as skipped, "
            "with the reason `backpressure`. `dlq`: they are dead letters of that reason."
        ),
    )
    dispatch_min_priority_when_backpressured: int = Field(
        5, ge=0, le=10, description="Agents of this priority and above are never under pressure."
    )
    dispatch_defer_seconds: float = Field(
        0.25, ge=0, json_schema_extra=ACCEPTED, description="A change waits in SQL; nothing is tried again."
    )
    dispatch_defer_max_attempts: int = Field(
        3, ge=0, json_schema_extra=ACCEPTED, description="A change waits in SQL however long it takes."
    )
    dispatch_pressure_cache_ttl_seconds: float = Field(
        1.0, ge=0, description="How old the count of an agent's waiting rows may be, in seconds."
    )
    agent_error_budget_window_seconds: float = Field(
        60.0, gt=0, description="The time in which an agent's failures are counted, in seconds."
    )
    agent_error_budget_max_failures: int = Field(
        20, ge=1, description="So many failures in that time put an agent into quarantine; its runs wait."
    )
    agent_quarantine_seconds: float = Field(
        30.0, ge=0, description="How long an agent stays in quarantine, in seconds; 0 for no quarantine."
    )
    latency_slo_ms: float = Field(
        3000.0,
        gt=0,
        description=(
            "Completed runs that took no longer, from the event on record to the end, count as in time in "
            "`mongoclaw stats`, in milliseconds. A change holds from then on."
        ),
    )
    retry_base_delay: float = Field(
        1.0, gt=0, json_schema_extra=ACCEPTED, description="Agents say this: `execution.retry_delay_seconds`."
    )
    retry_max_delay: float = Field(
        60.0,
        gt=0,
        json_schema_extra=ACCEPTED,
        description="Agents say this: `execution.retry_max_delay_seconds`.",
    )
    max_retries: int = Field(
        3, ge=0, json_schema_extra=ACCEPTED, description="Agents say this: `execution.max_retries`."
    )
    execution_timeout: float = Field(
        300.0,
        gt=0,
        description="The longest run, in seconds; the broker redelivers a silent message after thrice it.",
    )
    backpressure_threshold: float = Field(
        0.8, ge=0, le=1, json_schema_extra=ACCEPTED, description="Part of the backpressure of 1.0.4."
    )
    shutdown_timeout: float = Field(
        30.0, ge=0, description="How long a stopping process may finish what it has begun, in seconds."
    )


class WatcherSettings(Group):
    """The change-stream process."""

    max_await_ms: int = Field(
        1000, ge=1, description="How long one look for changes waits at the server, in milliseconds."
    )
    lease_seconds: float = Field(
        3.0,
        ge=1,
        description=(
            "How long a watcher that has died keeps its leases; others take over after that, in seconds. "
            "A watcher renews three times in it, and stops by itself when it cannot."
        ),
    )
    metrics_host: str = Field("127.0.0.1", description="Where METRICS_PORT is open.")
    metrics_port: int = Field(
        9464,
        ge=0,
        le=65535,
        description=(
            "Where a watcher answers for `/metrics`, `/health/live` and `/health/ready`. 0 turns that off. "
            "A port that is taken is a warning, and the watcher works without."
        ),
    )
    unpolled_seconds: float = Field(
        15.0,
        gt=0,
        description=(
            "A watcher is not ready when a stream that it leads has not heard from MongoDB for so long, in seconds. "
            "More than MAX_AWAIT_MS."
        ),
    )
    expected_downtime_hours: float = Field(
        24.0,
        ge=0,
        description="How long all watchers may be down: `mongoclaw doctor` warns of a shorter oplog.",
    )
    position_interval_seconds: float = Field(
        1.0, ge=0, description="A busy stream's position is stored at most so often, in seconds."
    )
    position_idle_seconds: float = Field(
        10.0,
        ge=0,
        description="A stream's position is stored at least so often while nothing happens, in seconds.",
    )
