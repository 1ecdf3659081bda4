"""Switches tracing on, where a collector is named; else nothing is loaded for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from urllib.parse import unquote

from aico.core.errors import InvalidInput
from aico.core.settings import Settings
from aico.tracing import genai, spans
from aico.tracing.spans import Sink


@contextmanager
def tracing(settings: Settings, part: str) -> Iterator[None]:
    """For this process, which is that part of the product. At the end what has been noted is sent.

    Raises InvalidInput where the packages for it are missing, or the headers for the collector make no sense.
    """
    sink = _sink(settings, part)
    if sink is None:
        yield
        return
    spans.listen(sink)
    try:
        yield
    finally:
        spans.listen(None)
        sink.close()


def _sink(settings: Settings, part: str) -> Sink | None:
    if settings.otel_exporter_otlp_endpoint is None:
        return None
    try:
        exporting = import_module("aico.tracing.exporting")
    except ModuleNotFoundError as error:
        raise InvalidInput(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, but OpenTelemetry's SDK is not installed:"
            " pip install --requirement requirements/otel.txt"
        ) from error
    sink: Sink = exporting.Exporting(
        settings.otel_exporter_otlp_endpoint,
        _headers(settings),
        f"aico-{part}",
        genai.names(settings.otel_semconv_stability_opt_in or ""),
    )
    return sink


def _headers(settings: Settings) -> dict[str, str]:
    """`name=value` by commas, values percent-encoded: as the standard variable is written."""
    secret = settings.otel_exporter_otlp_headers
    pairs = [pair.partition("=") for pair in (secret.get_secret_value() if secret else "").split(",") if pair.strip()]
    if any(not name.strip() or not equals for name, equals, _ in pairs):
        raise InvalidInput("OTEL_EXPORTER_OTLP_HEADERS is written name=value, by commas")
    return {name.strip(): unquote(value.strip()) for name, _, value in pairs}
