import { setTimeout as sleep } from "node:timers/promises";
import type { WorkspaceRole } from "../../src/kube/workspace-roles.ts";
import { allows } from "../../src/kube/workspace-roles.ts";
import { type Check, ladder, leastOf, permits } from "../kube/least-role.ts";
import type { Mlflow, MlflowAnswer } from "./mlflow.ts";
import type { Verdict, Verdicts } from "./route-verdicts.ts";

/** Somebody with one role in a workspace, or with none. */
export interface Caller {
  readonly role: WorkspaceRole | undefined;
  readonly token: string;
}

/** A workspace, and what is in it. */
export interface WorkspaceContent {
  readonly workspace: string;
  /** Ids and names of one of everything. */
  readonly there: Readonly<Record<string, string>>;
}

/**
 * How searches are asked so that who may see finds what is there; by the end of the path. MLflow refuses nobody these, but leaves
 * out of the answer what the caller may not see, so whether there is an answer says nothing.
 */
const searches: readonly (readonly [RegExp, (there: WorkspaceContent["there"]) => Search])[] = [
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

/** MLflow asks a catalogue on the Internet for the one, which a cluster without a way there waits for, and works long on the other. */
const slow = /\/gateway\/supported-models$|\/demo\/generate$/;
const patienceMilliseconds = 5000;

/** The operator serves it to nobody, before the plugin is asked. */
const assistant = "/mlflow/assistant/";

type Outcome = "closed" | "refused" | "let through" | "finds" | "finds nothing" | "no such route";

/**
 * All routes and all fields of GraphQL as one caller: a line for each that ended otherwise than it must.
 *
 * Requests name what is not there, and say nothing of what MLflow wants to know. That is enough: the plugin asks the API server
 * before MLflow looks at the request, and refuses with 403. So whatever else comes, such as a 400 or a 404, was let through.
 */
export async function sweep(mlflow: Mlflow, caller: Caller, { routes, fields }: Verdicts, content: WorkspaceContent) {
  const wrong: string[] = [];
  const queue = [
    ...routes.filter(({ path }) => !path.endsWith("/graphql")).map((route) => ({ ...route, query: undefined })),
    ...fields.map((field) => ({
      ...field,
      method: "POST",
      path: "/graphql",
      query: queryOf(field.field, content.there),
    })),
  ];
  const lane = async () => {
    for (let each = queue.shift(); each !== undefined; each = queue.shift()) {
      const { method, path, query } = each;
      const search = each.kind === "filtered" && query === undefined ? searchOf(path, content.there) : undefined;
      const finds = search?.finds ?? (each.kind === "workspaces" ? content.workspace : content.there["name"]);
      const calling = mlflow.call(method, `${path}${search?.query ? `?${search.query}` : ""}`, {
        headers: { authorization: `Bearer ${caller.token}`, "x-mlflow-workspace": content.workspace },
        ...(method !== "GET" && { body: query === undefined ? (search?.body ?? { unknown: "field" }) : { query } }),
      });
      const expected = path.includes(assistant) ? "closed" : expectedOf(caller.role, each);
      // A refusal comes at once, and is waited for where it must come.
      const isWaitedFor = !slow.test(path) || expected === "refused";
      const answer = await (isWaitedFor ? calling : Promise.race([calling, unanswered(calling)]));
      const isSearch = each.kind === "filtered" || each.kind === "workspaces";
      const found = outcomeOf(answer, isSearch ? (finds ?? "") : undefined);
      const said = `${method} ${path}${query === undefined ? "" : ` ${query}`}`;
      if (found !== expected)
        wrong.push(`${said}: ${found}, not ${expected}: ${answer.status} ${answer.body.slice(0, 200)}`);
    }
  };
  await Promise.all(Array.from({ length: 4 }, lane));
  return { wrong: wrong.sort(), tried: routes.length + fields.length };
}

/** What has no answer by then was not refused. */
async function unanswered(calling: Promise<MlflowAnswer>): Promise<MlflowAnswer> {
  calling.catch(() => undefined);
  await sleep(patienceMilliseconds);
  return { status: 0, headers: {}, body: "" };
}

/** What must come of it, by what each role is for and not by the rules that it is made of. */
function expectedOf(role: WorkspaceRole | undefined, verdict: Verdict): Outcome {
  switch (verdict.kind) {
    case "open":
      return "let through";
    case "denied":
      return "refused";
    case "unknown":
      return "no such route";
    case "workspaces":
      return isMember(role) ? "finds" : "finds nothing";
    case "workspace":
      return isMember(role) ? "let through" : "refused";
    case "filtered":
      return may(role, verdict.checks) ? "finds" : "finds nothing";
    case "checked":
      return may(role, verdict.checks) ? "let through" : "refused";
  }
}

/** Nobody names in a request what is asked for only where it is named. */
function may(role: WorkspaceRole | undefined, checks: readonly Check[]): boolean {
  const asked = checks.filter(({ optional }) => !optional);
  if (role === undefined) return false;
  if (role === "TraceWriter") return permits(role, asked);
  const least = leastOf(asked);
  return least !== "nobody" && ladder.indexOf(role) >= ladder.indexOf(least);
}

/** Whether the workspace is shown: to whoever may read something in it. */
function isMember(role: WorkspaceRole | undefined): boolean {
  return role !== undefined && allows(role, "list", "experiments");
}

function outcomeOf({ status, body }: MlflowAnswer, finds: string | undefined): Outcome | `status ${number}` {
  if (status === 403) return "refused";
  if (status === 401) return `status ${status}`;
  if (status === 404 && body.includes("Endpoint not found.")) return "no such route";
  if (status === 404 && body.includes("does not serve MLflow's Assistant")) return "closed";
  if (finds === undefined) return "let through";
  return body.includes(finds) ? "finds" : "finds nothing";
}

/** A search of which it is not known how it would find something could not be told from one that is refused. */
function searchOf(path: string, there: WorkspaceContent["there"]): Search {
  const found = searches.find(([end]) => end.test(path));
  if (found === undefined)
    throw new Error(
      `${path} leaves out what callers may not see, and this test knows no request that finds something.`,
    );
  return found[1](there);
}

/** A query of this field alone, of what is there where that matters. */
function queryOf(field: string, { experiment, run, name }: WorkspaceContent["there"]): string {
  const wanted: Readonly<Record<string, string>> = {
    mlflowGetExperiment: `(input: {experimentId: "${experiment}"}) { experiment { name } }`,
    mlflowGetRun: `(input: {runId: "${run}"}) { run { info { runId } } }`,
    // With ids of experiments it would be a search that leaves things out.
    mlflowSearchRuns: `(input: {}) { runs { info { runId } } }`,
    mlflowListArtifacts: `(input: {runId: "${run}"}) { files { path } }`,
    mlflowSearchModelVersions: `(input: {filter: "name = '${name}'"}) { modelVersions { name } }`,
  };
  return `{ ${field}${wanted[field] ?? " { __typename }"} }`;
}
