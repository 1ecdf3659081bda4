"""Every setting that the environment or `.env` can change. Nothing else in the product reads the environment."""

from collections.abc import Callable
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from aico.core.assignment import MAX_HOLDOUT
from aico.core.cache_policy import MAX_ERROR_RATE, GuardPolicy
from aico.core.embedding import BUNDLED_MODEL, LEAST_SIMILARITY
from aico.core.encryption_keys import parse_keys
from aico.core.errors import InvalidInput
from aico.core.plans import Plan
from aico.core.provider_secrets import weighted_keys

STATE_DIR = Path(".aico")
STACK_FILE = STATE_DIR / "stack.env"

Address = Annotated[str, Field(pattern=r"^https?://[^/\s?#@]+(/[^\s?#]*)?$")]
McpAddress = Annotated[str, Field(pattern=r"^https?://[^/\s?#@]+/mcp$")]

StripePrice = Annotated[str, Field(pattern=r"^(pro|business|tokens|cents):[A-Za-z0-9_-]{1,200}$")]
MeterEvent = Annotated[str, Field(pattern=r"^(tokens|cents):[A-Za-z0-9_.-]{1,100}$")]


class Settings(BaseSettings):
    """Names are the environment variables' in lower case. Secrets never show in a repr or a log."""

    # `aico up` writes the addresses of what it runs into the first file; the second is the operator's and wins.
    model_config = SettingsConfigDict(
        env_file=(STACK_FILE, ".env"), extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    # Where things are
    database_url: str = "postgresql://aico_app@127.0.0.1:54320/aico"
    redis_url: SecretStr = SecretStr("redis://127.0.0.1:63790/0")
    database_admin_url: SecretStr | None = None  # the owner's, for migrations
    aico_app_password: SecretStr | None = None  # set by migrations on the service's database role
    cost_optimizer_api_url: str = "http://127.0.0.1:8080"
    aico_api_key: SecretStr | None = None  # what the command line sends
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 8080
    state_dir: Path = STATE_DIR
    dashboard_dir: Path = Path("dashboard/out")  # the dashboard's built pages
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    mcp_urls: Annotated[tuple[McpAddress, ...], NoDecode] = ()  # beside those of this machine
    mcp_authorization_server: Address | None = None  # issues tokens that this API takes
    flower_conf: Path | None = None  # Flower's own settings file
    flower_url: Address | None = None  # where the operator's browser finds it
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    # Secrets of tenants
    encryption_keys: SecretStr | None = None  # id:base64 of 32 bytes, by commas; the first one encrypts
    encryption_kms: Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")] | None = None  # module:callable

    # Supabase
    supabase_url: str | None = None
    supabase_anon_key: SecretStr | None = None
    supabase_service_key: SecretStr | None = None
    supabase_jwt_secret: SecretStr | None = None
    auth_signup: bool = False  # whether people may sign up themselves at the local stand-in of `aico up`

    # Billing: a key switches it on
    stripe_api_key: SecretStr | None = None
    stripe_webhook_secret: SecretStr | None = None
    stripe_prices: Annotated[tuple[StripePrice, ...], NoDecode] = ()
    stripe_meter_events: Annotated[tuple[MeterEvent, ...], NoDecode] = ()  # what use is reported as
    stripe_api_base: Address | None = None  # instead of Stripe's own address: a proxy, or a stand-in for tests
    billing_return_origins: Annotated[tuple[Address, ...], NoDecode] = ()  # none: those of `cors_origins`
    billing_grace_days: Annotated[int, Field(ge=0, le=90)] = 7  # that a plan outlasts a failed payment
    revenue_share: Annotated[Decimal, Field(ge=Decimal("0.10"), le=Decimal("0.20"))] = Decimal("0.15")
    personal_tenants: bool = True  # whether users may have tenants that the operator did not make
    personal_plan: Plan = Plan.FREE  # of those tenants

    # Providers: a key switches its provider on
    google_api_key: SecretStr | None = None
    anthropic_api_key: SecretStr | None = None
    openrouter_api_key: SecretStr | None = None
    cerebras_api_key: SecretStr | None = None
    openai_api_key: SecretStr | None = None
    google_api_keys: SecretStr | None = None  # further keys, by commas, each perhaps with its weight: 3:key
    anthropic_api_keys: SecretStr | None = None
    openrouter_api_keys: SecretStr | None = None
    cerebras_api_keys: SecretStr | None = None
    openai_api_keys: SecretStr | None = None
    openai_gateway_url: str | None = None  # instead of the provider's own address, up to and including the version
    anthropic_gateway_url: str | None = None
    google_gateway_url: str | None = None
    openai_compatible_url: str | None = None  # any OpenAI-compatible server, up to and including /v1
    openai_compatible_api_key: SecretStr | None = None
    openai_compatible_api_keys: SecretStr | None = None
    openai_compatible_models: Annotated[tuple[str, ...], NoDecode] = ()
    openai_compatible_batches: bool = False  # whether that server has OpenAI's batch API
    local_model_url: str | None = None  # the bundled local model server, set by `aico up`
    simulated_model_url: str | None = None  # its stand-in where the model cannot run, set by `aico up`
    catalogue_file: Path | None = None  # TOML: models and price overrides on top of the bundled ones

    # Embedding and cache
    embedding_backend: Literal["openvino", "torch"] = "openvino"
    embedding_model_name: str = BUNDLED_MODEL
    embedding_device: Annotated[str, Field(pattern=r"^(cpu|cuda|cuda:\d+)$")] = "cpu"
    similarity_threshold: Annotated[float, Field(ge=0, le=1)] = LEAST_SIMILARITY  # cosine below which none is served
    cache_max_error_rate: Annotated[float, Field(gt=0, le=MAX_ERROR_RATE)] = 0.01  # wrong answers per hit by meaning
    cache_confidence: Annotated[float, Field(ge=0.5, le=0.999)] = 0.9  # with which that is kept
    cache_audit_share: Annotated[float, Field(ge=0, le=1)] = 0.05  # of hits by meaning that are answered afresh too
    cache_grey_zone: bool = True  # whether a model is asked about an answer in doubt, where that pays
    cache_guards: GuardPolicy = GuardPolicy.STRICT
    cache_ttl_seconds: Annotated[int, Field(ge=1)] = 7 * 24 * 3600
    cache_index_rows: Annotated[int, Field(ge=0)] = 10_000  # of a namespace that gets an index of its own; 0: none does
    cache_short_ttl_seconds: Annotated[int, Field(ge=1)] = 900  # of answers to what is bound to its time
    cache_max_entries: Annotated[int, Field(ge=1)] = 100_000  # of each tenant
    cache_max_bytes: Annotated[int, Field(ge=1)] = 1024**3  # of each tenant's answers together
    cache_max_answer_bytes: Annotated[int, Field(ge=1)] = 64 * 1024  # larger answers are not kept

    # Routing
    baseline_model: str = "gpt-5.4"
    # Of the jobs that we choose or keep answers for, the share that is answered without us, to measure what we save.
    holdout_share: Annotated[float, Field(ge=0, le=MAX_HOLDOUT)] = 0.01
    max_prompt_chars: Annotated[int, Field(ge=1)] = 200_000
    max_body_bytes: Annotated[int, Field(ge=1024)] = 8_000_000
    max_file_bytes: Annotated[int, Field(ge=1024)] = 200 * 1024 * 1024
    attempt_timeout_seconds: Annotated[float, Field(gt=0)] = 60
    job_timeout_seconds: Annotated[float, Field(gt=0)] = 600
    retry_base_seconds: Annotated[float, Field(ge=0)] = 0.5
    job_max_retries: Annotated[int, Field(ge=0, le=20)] = 8  # times a job is put back when no candidate answered
    max_deadline_seconds: Annotated[int, Field(ge=1)] = 7 * 24 * 3600  # the latest deadline that a caller may give
    batch_lanes: bool = True  # whether work that can wait goes into providers' batches at their discount
    batch_lane_min_seconds: Annotated[float, Field(gt=0)] = 3600  # least time to the deadline for that
    batch_lane_linger_seconds: Annotated[float, Field(ge=0)] = 60  # how long jobs wait for company
    prompt_cache_hints: bool = True  # whether providers are told what of a prompt to keep, where that pays

    # Outcomes
    implicit_outcomes: bool = True  # whether what callers do next, and how answers end, counts as a judgement
    judge_model: str | None = None  # compares answers; none: nothing is compared
    shadow_rate: Annotated[float, Field(ge=0, le=1)] | None = None  # of jobs that another model answers too; none: 0.02
    judge_daily_budget_cents: Annotated[Decimal, Field(ge=0)] = Decimal(50)  # of each tenant, for all of a comparison
    judge_service_budget_cents: Annotated[Decimal, Field(ge=0)] = Decimal(500)  # of all tenants together

    # Personal data
    pii_redaction: Literal["off", "available"] = "off"  # whether it can be replaced; tenants and callers ask for it
    pii_phone_region: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] = "US"  # whose numbers need no country code

    # Limits
    tenant_requests_per_minute: Annotated[int, Field(ge=0)] = 0  # 0: none
    tenant_tokens_per_minute: Annotated[int, Field(ge=0)] = 0  # likewise

    # Workers
    lease_seconds: Annotated[float, Field(gt=0)] = 15
    stop_grace_seconds: Annotated[float, Field(ge=0)] = 20  # for running tasks when a worker is told to stop
    route_concurrency: Annotated[int, Field(ge=1, le=256)] = 32
    task_events: bool = False  # single tasks in Flower; their publishing cost twice what a task itself does
    api_key_cache_seconds: Annotated[float, Field(ge=0)] = 5
    webhook_allow_private: bool = False  # plain http, and addresses inside the operator's own network
    sync_wait_seconds: Annotated[float, Field(gt=0)] = (
        590  # for an answer that is waited for; clients give up after 600
    )
    idempotency_ttl_seconds: Annotated[int, Field(ge=60)] = 24 * 3600
    job_retention_days: Annotated[int, Field(ge=1)] = 30  # ended jobs, webhook deliveries, words in the ledger
    max_retention_days: Annotated[int, Field(ge=1, le=36_500)] = 365  # the longest that a tenant may ask for
    metrics_token: SecretStr | None = None  # what `GET /metrics` asks for

    # Traces: an address switches them on. These names are OpenTelemetry's own
    otel_exporter_otlp_endpoint: Address | None = None  # of a collector, for OTLP over HTTP; without /v1/traces
    otel_exporter_otlp_headers: SecretStr | None = None  # name=value by commas, sent with every export
    otel_semconv_stability_opt_in: str | None = None  # gen_ai_latest_experimental: names that are not stable yet

    @field_validator(
        *("cors_origins", "mcp_urls", "openai_compatible_models"),
        *("stripe_prices", "stripe_meter_events", "billing_return_origins"),
        mode="before",
    )
    @classmethod
    def _split_commas(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator(
        *("google_api_keys", "anthropic_api_keys", "openrouter_api_keys"),
        *("cerebras_api_keys", "openai_api_keys", "openai_compatible_api_keys"),
    )
    @classmethod
    def _usable(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            weighted_keys(value.get_secret_value())
        return value

    @field_validator("encryption_keys")
    @classmethod
    def _readable(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            parse_keys(value.get_secret_value())
        return value


@cache
def get_settings() -> Settings:
    """The settings of this process. Raises InvalidInput that names each variable that is not right."""
    return checked(Settings)


def checked(make: Callable[[], Settings]) -> Settings:
    try:
        return make()
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, fault['loc'])).upper()}: {fault['msg']}" for fault in error.errors())
        raise InvalidInput("; ".join(faults)) from error
