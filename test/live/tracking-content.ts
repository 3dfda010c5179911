import type { PostgresqlServer } from "./postgresql-server.ts";

/** Number of rows and hash of their content, for each part of the tracking database. */
export type TrackingContent = Readonly<Record<string, string>>;

/** Parts of which both schemas have the columns. */
const common: Readonly<Record<string, string>> = {
  experiments: "SELECT experiment_id, name, artifact_location, lifecycle_stage, creation_time FROM experiments",
  runs: "SELECT run_uuid, experiment_id, name, status, start_time, end_time, lifecycle_stage, artifact_uri FROM runs",
  metrics: "SELECT m.* FROM metrics m JOIN runs USING (run_uuid)",
  "latest metrics": "SELECT m.* FROM latest_metrics m JOIN runs USING (run_uuid)",
  params: "SELECT p.* FROM params p JOIN runs USING (run_uuid)",
  tags: "SELECT t.* FROM tags t JOIN runs USING (run_uuid)",
  traces:
    "SELECT request_id, experiment_id, timestamp_ms, execution_time_ms, status, client_request_id, request_preview, response_preview FROM trace_info",
  spans:
    "SELECT trace_id, experiment_id, span_id, parent_span_id, name, type, status, start_time_unix_nano, end_time_unix_nano, duration_ns, content FROM spans",
  "tags of traces": "SELECT t.* FROM trace_tags t JOIN trace_info USING (request_id) WHERE key <> 'mlflow.traceName'",
  "metadata of traces":
    "SELECT m.* FROM trace_request_metadata m JOIN trace_info USING (request_id) WHERE key NOT IN ('mlflow.trace.session', 'mlflow.trace.tokenUsage', 'mlflow.trace.cost')",
};

const tagOf = (key: string) => `(SELECT value FROM trace_tags t WHERE t.request_id = i.request_id AND key = '${key}')`;
const metadataOf = (key: string) =>
  `(SELECT value FROM trace_request_metadata m WHERE m.request_id = i.request_id AND key = 'mlflow.trace.${key}')`;
const tokensOf = (key: string) => `(${metadataOf("tokenUsage")}::json->>'${key}')::bigint`;
const costOf = (key: string) =>
  `(SELECT value FROM span_metrics m WHERE m.trace_id = s.trace_id AND m.span_id = s.span_id AND key = '${key}')`;

/** What the migration to 3.17 moves into columns. */
const analytics = {
  "3.16": {
    "analytics of traces": `SELECT request_id, ${tagOf("mlflow.traceName")}, ${metadataOf("session")}, ${tokensOf("input_tokens")}, ${tokensOf("output_tokens")}, ${tokensOf("total_tokens")}, (${metadataOf("cost")}::json->>'total_cost')::float8 FROM trace_info i`,
    "analytics of spans": `SELECT trace_id, span_id, dimension_attributes->>'mlflow.llm.model', dimension_attributes->>'mlflow.llm.provider', ${costOf("input_cost")}, ${costOf("output_cost")}, ${costOf("total_cost")} FROM spans s`,
  },
  "3.17": {
    "analytics of traces":
      "SELECT request_id, trace_name, session_id, input_tokens, output_tokens, total_tokens, total_cost FROM trace_info",
    "analytics of spans":
      "SELECT trace_id, span_id, model_name, model_provider, input_cost, output_cost, total_cost FROM spans",
  },
} as const;

/** Reads the database `mlflow`, without what belongs to one experiment. */
export async function trackingContent(
  { sql }: PostgresqlServer,
  schema: keyof typeof analytics,
  withoutExperiment: string,
): Promise<TrackingContent> {
  const parts: Readonly<Record<string, string>> = { ...common, ...analytics[schema] };
  const of = (table: string) =>
    `CREATE TEMPORARY VIEW ${table} AS SELECT * FROM public.${table} WHERE experiment_id <> ${withoutExperiment};`;
  const views = ["experiments", "runs", "trace_info", "spans"].map(of).join("\n");
  const hashes = Object.entries(parts).map(
    ([part, query]) =>
      `SELECT '${part}', count(*) || ' ' || coalesce(md5(string_agg(row, '' ORDER BY row)), '') FROM (SELECT md5(t::text) AS row FROM (${query}) t) hashed;`,
  );
  const rows = await sql("mlflow", `${views}\n${hashes.join("\n")}`);
  return Object.fromEntries(
    rows
      .trim()
      .split("\n")
      .map((row) => row.split("|") as [string, string]),
  );
}
