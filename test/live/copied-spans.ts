import type { PostgresqlServer } from "./postgresql-server.ts";

/**
 * Copies the traces of an experiment and their spans, as MLflow 3.16 has written them, with other IDs: MLflow itself takes several minutes for 100,000
 * spans. Returns the ID of one of the new traces.
 */
export async function copySpans({ sql }: PostgresqlServer, experimentId: string, copies: number): Promise<string> {
  // The content of a span has the ID of its trace also in base64.
  const id = await sql(
    "mlflow",
    `BEGIN;
    CREATE TEMPORARY TABLE copied AS
      SELECT request_id AS old, 'tr-' || md5(request_id || n) AS new, substr(request_id, 4) AS old_hex, md5(request_id || n) AS new_hex
      FROM trace_info CROSS JOIN generate_series(1, ${copies}) n WHERE experiment_id = ${experimentId};
    INSERT INTO trace_info (request_id, experiment_id, timestamp_ms, execution_time_ms, status, client_request_id, request_preview, response_preview)
      SELECT new, experiment_id, timestamp_ms, execution_time_ms, status, client_request_id, request_preview, response_preview
      FROM copied JOIN trace_info ON request_id = old;
    INSERT INTO trace_tags (request_id, key, value)
      SELECT new, key, replace(value, old, new) FROM copied JOIN trace_tags ON request_id = old;
    INSERT INTO trace_request_metadata (request_id, key, value)
      SELECT new, key, value FROM copied JOIN trace_request_metadata ON request_id = old;
    INSERT INTO trace_metrics (request_id, key, value)
      SELECT new, key, value FROM copied JOIN trace_metrics ON request_id = old;
    INSERT INTO spans (trace_id, experiment_id, span_id, parent_span_id, name, type, status, start_time_unix_nano, end_time_unix_nano, content, dimension_attributes)
      SELECT new, experiment_id, span_id, parent_span_id, name, type, status, start_time_unix_nano, end_time_unix_nano,
        replace(replace(content, old_hex, new_hex), encode(decode(old_hex, 'hex'), 'base64'), encode(decode(new_hex, 'hex'), 'base64')), dimension_attributes
      FROM copied JOIN spans ON trace_id = old;
    INSERT INTO span_metrics (trace_id, span_id, key, value)
      SELECT new, span_id, key, value FROM copied JOIN span_metrics ON trace_id = old;
    COMMIT;
    SELECT max(new) FROM copied;`,
  );
  return id.trim();
}
