import { setTimeout as sleep } from "node:timers/promises";
import type { WorkspaceRole } from "../../src/kube/workspace-roles.ts";
import { allows } from "../../src/kube/workspace-roles.ts";
import { type Check, ladder, leastOf, permits } from "../kube/least-role.ts";
import type { Mlflow, MlflowAnswer } from "./mlflow.ts";
import type { Verdict, Verdicts } from "./route-verdicts.ts";

/** A client with one role in a workspace, or with none. */
export interface Caller {
  readonly role: WorkspaceRole | undefined;
  readonly token: string;
}

/** A workspace and its content. */
export interface WorkspaceContent {
  readonly workspace: string;
  /** Ids and names of one object of each kind. */
  readonly ids: Readonly<Record<string, string>>;
}

/**
 * Requests of searches that find the existing objects, by the end of the path. MLflow does not deny searches, but filters the
 * answer by the caller's permissions, so the status is not sufficient.
 */
const searches: readonly (readonly [RegExp, (ids: WorkspaceContent["ids"]) => Search])[] = [
  [/\/experiments\/search$/, ({ name }) => ({ query: "max_results=1000", body: { max_results: 1000 }, finds: name })],
  [/\/(registered-models|model-versions)\/search$/, ({ name }) => ({ query: "max_results=1000", finds: name })],
  [/\/datasets\/search$/, ({ name }) => ({ body: {}, query: "", finds: name })],
  [/\/mlflow\/traces$/, ({ experiment, trace }) => ({ query: `experiment_ids=${experiment}`, finds: trace })],
  [
    /\/traces\/batch[A-Za-z]*$/,
    ({ trace }) => ({ query: `trace_ids=${trace}`, body: { trace_ids: [trace] }, finds: trace }),
  ],
  [/\/scorers\/list$/, ({ name }) => ({ query: "", finds: name })],
  [/\/mcp-servers$/, ({ name }) => ({ query: "max_results=100", finds: name })],
  [/\/mcp-servers\/endpoints$/, ({ name }) => ({ query: "max_results=100", finds: name })],
];

interface Search {
  readonly query?: string;
  readonly body?: object;
  readonly finds: string | undefined;
}

/** Slow routes: one queries a catalogue on the Internet, which a cluster without access waits for; the other takes long to compute. */
const slow = /\/gateway\/supported-models$|\/demo\/generate$/;
const timeoutMilliseconds = 5000;

/** The middleware closes it for all clients, before the plugin is called. */
const assistant = "/mlflow/assistant/";

type Outcome = "closed" | "denied" | "allowed" | "finds" | "finds nothing" | "no such route";

/**
 * Calls all routes and all fields of GraphQL as one client, and returns a line for each unexpected outcome.
 *
 * Requests are incomplete and name objects that do not exist. That is sufficient: the plugin queries the API server before MLflow
 * reads the request, and denies with 403. So every other status, such as 400 or 404, means allowed.
 */
export async function sweep(mlflow: Mlflow, caller: Caller, { routes, fields }: Verdicts, content: WorkspaceContent) {
  const wrong: string[] = [];
  const queue = [
    ...routes.filter(({ path }) => !path.endsWith("/graphql")).map((route) => ({ ...route, query: undefined })),
    ...fields.map((field) => ({
      ...field,
      method: "POST",
      path: "/graphql",
      query: queryOf(field.field, content.ids),
    })),
  ];
  const lane = async () => {
    for (let each = queue.shift(); each !== undefined; each = queue.shift()) {
      const { method, path, query } = each;
      const search = each.kind === "filtered" && query === undefined ? searchOf(path, content.ids) : undefined;
      const finds = search?.finds ?? (each.kind === "workspaces" ? content.workspace : content.ids["name"]);
      const calling = decided(() =>
        mlflow.call(method, `${path}${search?.query ? `?${search.query}` : ""}`, {
          headers: { authorization: `Bearer ${caller.token}`, "x-mlflow-workspace": content.workspace },
          ...(method !== "GET" && { body: query === undefined ? (search?.body ?? { unknown: "field" }) : { query } }),
        }),
      );
      const expected = path.includes(assistant) ? "closed" : expectedOf(caller.role, each);
      // A denial arrives immediately; the test waits for it if it is expected.
      const isWaitedFor = !slow.test(path) || expected === "denied";
      const answer = await (isWaitedFor ? calling : Promise.race([calling, unanswered(calling)]));
      const isSearch = each.kind === "filtered" || each.kind === "workspaces";
      const found = outcomeOf(answer, isSearch ? (finds ?? "") : undefined);
      const request = `${method} ${path}${query === undefined ? "" : ` ${query}`}`;
      if (found !== expected)
        wrong.push(`${request}: ${found}, not ${expected}: ${answer.status} ${answer.body.slice(0, 200)}`);
    }
  };
  await Promise.all(Array.from({ length: 4 }, lane));
  return { wrong: wrong.sort(), tried: routes.length + fields.length };
}

/** Sends a request again while the server answers that the API server did not decide in time, at most four times. */
async function decided(call: () => Promise<MlflowAnswer>): Promise<MlflowAnswer> {
  for (let times = 0; ; times += 1) {
    const answer = await call();
    const isUndecided = answer.status === 503 && answer.body.includes("TEMPORARILY_UNAVAILABLE");
    if (!isUndecided || times === 4) return answer;
  }
}

/** A request without an answer at the deadline was not denied. */
async function unanswered(calling: Promise<MlflowAnswer>): Promise<MlflowAnswer> {
  calling.catch(() => undefined);
  await sleep(timeoutMilliseconds);
  return { status: 0, headers: {}, body: "" };
}

/** Returns the expected outcome by the purpose of each role, independent of its rules. */
function expectedOf(role: WorkspaceRole | undefined, verdict: Verdict): Outcome {
  switch (verdict.kind) {
    case "open":
      return "allowed";
    case "denied":
      return "denied";
    case "unknown":
      return "no such route";
    case "workspaces":
      return isMember(role) ? "finds" : "finds nothing";
    case "workspace":
      return isMember(role) ? "allowed" : "denied";
    case "filtered":
      return may(role, verdict.checks) ? "finds" : "finds nothing";
    case "checked":
      return may(role, verdict.checks) ? "allowed" : "denied";
  }
}

/** Whether the role has the permissions of the checks, without optional ones, which the requests do not trigger. */
function may(role: WorkspaceRole | undefined, checks: readonly Check[]): boolean {
  const required = checks.filter(({ optional }) => !optional);
  if (role === undefined) return false;
  if (role === "TraceWriter") return permits(role, required);
  const least = leastOf(required);
  return least !== "none" && ladder.indexOf(role) >= ladder.indexOf(least);
}

/** Whether the workspace is visible: for every client that can read something in it. */
function isMember(role: WorkspaceRole | undefined): boolean {
  return role !== undefined && allows(role, "list", "experiments");
}

function outcomeOf({ status, body }: MlflowAnswer, finds: string | undefined): Outcome | `status ${number}` {
  if (status === 403) return "denied";
  if (status === 401) return `status ${status}`;
  if (status === 404 && body.includes("Endpoint not found.")) return "no such route";
  if (status === 404 && body.includes("does not serve MLflow's Assistant")) return "closed";
  if (finds === undefined) return "allowed";
  return body.includes(finds) ? "finds" : "finds nothing";
}

/** Returns the request of a search. Throws for an unknown search, because an empty result would look like a denial. */
function searchOf(path: string, ids: WorkspaceContent["ids"]): Search {
  const found = searches.find(([end]) => end.test(path));
  if (found === undefined)
    throw new Error(
      `${path} filters its results, and this test has no request that finds an object. Add one to searches.`,
    );
  return found[1](ids);
}

/** Returns a query of this field, with existing objects if the result depends on them. */
function queryOf(field: string, { experiment, run, name }: WorkspaceContent["ids"]): string {
  const wanted: Readonly<Record<string, string>> = {
    mlflowGetExperiment: `(input: {experimentId: "${experiment}"}) { experiment { name } }`,
    mlflowGetRun: `(input: {runId: "${run}"}) { run { info { runId } } }`,
    // With ids of experiments it would be a filtered search.
    mlflowSearchRuns: `(input: {}) { runs { info { runId } } }`,
    mlflowListArtifacts: `(input: {runId: "${run}"}) { files { path } }`,
    mlflowSearchModelVersions: `(input: {filter: "name = '${name}'"}) { modelVersions { name } }`,
  };
  return `{ ${field}${wanted[field] ?? " { __typename }"} }`;
}
