"""Writes one span with OpenTelemetry's exporter, configured by environment variables only, and prints the result as JSON."""

import json

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

results = []


class RecordingExporter(OTLPSpanExporter):
    def export(self, spans, *args, **kwargs):
        result = super().export(spans, *args, **kwargs)
        results.append(result.name)
        return result


provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(RecordingExporter()))
with provider.get_tracer("tests").start_as_current_span("by-python") as span:
    trace = f"tr-{span.get_span_context().trace_id:032x}"
print(json.dumps({"trace": trace, "results": results}))
