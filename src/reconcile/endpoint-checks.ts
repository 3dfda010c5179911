import type { Unauthenticated } from "../features/authentication/authentication.ts";
import {
  isDeniedByMesh,
  type ProbeAnswer,
  type ProbeEndpoint,
  type ProbeRequest,
  requestText,
  unansweredText,
} from "./probe.ts";

/** The endpoints of a server and the answers that an unauthenticated client must get there. Plain data. */
export interface EndpointChecks {
  /** The generation of the spec that the answers follow from. */
  readonly generation: number;
  readonly scheme: "http" | "https";
  /** The Host header: MLflow accepts the names of its Service only. */
  readonly host: string;
  readonly expected: Unauthenticated;
  readonly isInMesh: boolean;
  /** The Services for clients in the cluster that have an address. */
  readonly services: readonly ProbedEndpoint[];
  readonly pods: readonly ProbedEndpoint[];
}

/** An endpoint for clients. */
export interface ProbedEndpoint {
  readonly endpoint: ProbeEndpoint;
  /** Ports of the same pod that must not serve MLflow. */
  readonly otherPorts: readonly OtherPort[];
}

export interface OtherPort {
  readonly number: number;
  /** Whether it is MLflow's own port behind oauth2-proxy, at which nothing must answer. */
  readonly isOfMlflow: boolean;
}

/** What a probe has shown. */
export type Verdict =
  /** As it must be: rejected, denied by the mesh, closed, or alive for a public path. */
  { readonly result: "expected" } | { readonly result: "open" | "unexpected" | "failed"; readonly text: string };

/** The results of the probes of a server. */
export interface EndpointResults {
  readonly generation: number;
  /** By endpoint and check, in a fixed order. */
  readonly verdicts: Readonly<Record<string, Verdict>>;
}

/** One kind of request to the port for clients. */
export interface ServingCheck {
  readonly id: string;
  /** What the request has or is, for messages. */
  readonly what: string;
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether a server with this authentication method is checked; default: every one that authenticates. */
  readonly isOf?: (expected: Unauthenticated) => boolean;
  /** Whether every endpoint is checked in each round; default: the Service never is, and one pod of each round. */
  readonly isAtAll?: true;
  /** Whether it costs other components something, so that it is sent after a rollout and every ten minutes only. */
  readonly isRare?: true;
  /** The verdict for a response, if it is not a rejection: by default the request got past authentication. */
  readonly accepts?: (answer: Response, checks: EndpointChecks) => boolean;
  /** Whether a rejection must be in JSON, which programs can read. */
  readonly needsJson?: true;
  /** Whether the path is public: then only status 200 is expected. */
  readonly isPublic?: true;
}

type Response = Extract<ProbeAnswer, { kind: "response" }>;

/** A protected request that costs MLflow little. */
const protectedPath = "/api/2.0/mlflow/experiments/get?experiment_id=0";

/** Headers with which proxies report an identity, and clients of the API server ask for one. */
const identityHeaders = [
  "x-forwarded-user",
  "x-forwarded-email",
  "x-forwarded-preferred-username",
  "x-forwarded-groups",
  "x-auth-request-user",
  "x-auth-request-email",
  "x-auth-request-groups",
  "x-auth-request-preferred-username",
  "x-remote-user",
  "x-remote-groups",
  "remote-user",
  "x-webauth-user",
  "impersonate-user",
  "impersonate-group",
  "kubeflow-userid",
];

const asAdministrator = Object.fromEntries(identityHeaders.map((name) => [name, "admin"]));

/** Passwords of the administrator in releases of MLflow and in public charts. */
const previousPasswords = ["password", "password1234"];

const basic = (password: string) => `Basic ${Buffer.from(`admin:${password}`).toString("base64")}`;

export const servingChecks: readonly ServingCheck[] = [
  {
    id: "credential",
    what: "without a credential",
    method: "GET",
    path: protectedPath,
    isAtAll: true,
    needsJson: true,
  },
  {
    id: "page",
    what: "of a browser without a session",
    method: "GET",
    path: "/",
    headers: { accept: "text/html" },
    accepts: isLogin,
  },
  {
    id: "identityHeaders",
    what: "with forged identity headers",
    method: "GET",
    path: protectedPath,
    headers: asAdministrator,
  },
  {
    id: "accessToken",
    what: "with a forged X-Forwarded-Access-Token",
    method: "GET",
    path: protectedPath,
    headers: { "x-forwarded-access-token": "forged" },
    // With the authentication method kubernetes the API server must reject the token.
    isRare: true,
    // With workspaces the plugin asks for one before it checks the token.
    accepts: ({ status }) => status === 400 || status === 404,
  },
  { id: "traces", what: "without a credential", method: "POST", path: "/v1/traces" },
  {
    id: "assistant",
    what: "to MLflow's Assistant",
    method: "GET",
    path: "/ajax-api/3.0/mlflow/assistant/providers",
    isOf: () => true,
    accepts: ({ status }) => status === 404,
  },
  ...previousPasswords.map(
    (password): ServingCheck => ({
      id: `password:${password}`,
      what: `as admin with the previous default password ${password}`,
      method: "GET",
      path: protectedPath,
      headers: { authorization: basic(password) },
      // MLflow hashes each password that it has not accepted before: a tenth of a second of CPU time.
      isRare: true,
      isOf: ({ hasPasswords }) => hasPasswords === true,
    }),
  ),
];

/** The check of a path that must answer without a credential. */
const alive = ({ publicPath }: Unauthenticated): ServingCheck => ({
  id: "public",
  what: "without a credential",
  method: "GET",
  path: publicPath,
  isPublic: true,
  isOf: () => true,
});

/** Whether a round sends all checks to an endpoint, those that are rare too, and which it must repeat in any case. */
export interface Selection {
  readonly isChosen: boolean;
  readonly isRare: boolean;
  readonly isRepeated: (id: string) => boolean;
}

/** Returns the checks of one endpoint in one round. The public path is the last, because it shows least. */
export function selectedChecks(
  { expected }: Pick<EndpointChecks, "expected">,
  { isChosen, isRare, isRepeated }: Selection,
): ServingCheck[] {
  return [...servingChecks, alive(expected)]
    .filter(({ isOf = ({ isOpen }) => isOpen !== true }) => isOf(expected))
    .filter((check) => check.isAtAll || isRepeated(check.id) || (isChosen && (isRare || !check.isRare)));
}

/** Returns the request of a check. */
export function checkRequest(checks: EndpointChecks, endpoint: ProbeEndpoint, check: ServingCheck): ProbeRequest {
  const { scheme, host } = checks;
  return { endpoint, scheme, method: check.method, path: check.path, headers: { host, ...check.headers } };
}

/** Returns the request to a port that must not serve MLflow. */
export function portRequest(
  { host }: EndpointChecks,
  { host: address, what }: ProbeEndpoint,
  port: number,
): ProbeRequest {
  return { endpoint: { what, host: address, port }, method: "GET", path: protectedPath, headers: { host } };
}

/** The verdict on the answer to a check. */
export function verdictOf(
  check: ServingCheck,
  request: ProbeRequest,
  answer: ProbeAnswer,
  checks: EndpointChecks,
): Verdict {
  if (checks.isInMesh && isDeniedByMesh(answer)) return { result: "expected" };
  if (answer.kind !== "response") return { result: "failed", text: unansweredText(request, whyUnanswered(answer)) };
  const { status } = answer;
  const text = `${requestText(request)} ${check.what} with ${status}`;
  if (check.isPublic) return status === 200 ? { result: "expected" } : { result: "failed", text };
  if (status === 401 || status === 403) {
    const isReadable = !check.needsJson || status === 403 || isJson(answer);
    return isReadable ? { result: "expected" } : { result: "unexpected", text: `${text}, but not in JSON` };
  }
  if (status >= 500 || status === 408 || status === 429 || isOfOtherScheme(answer)) return { result: "failed", text };
  if (check.accepts?.(answer, checks)) return { result: "expected" };
  if (status >= 300 && status < 400) return { result: "unexpected", text: `${text} to ${originOf(answer.location)}` };
  return { result: "open", text };
}

/** The verdict on the answer of a port that must not serve MLflow. `isReached`: another port of the pod has answered at the same time. */
export function portVerdict(
  { isOfMlflow }: OtherPort,
  request: ProbeRequest,
  answer: ProbeAnswer,
  { isInMesh, isReached }: { readonly isInMesh: boolean; readonly isReached: boolean },
): Verdict {
  const isDenied = isInMesh && isDeniedByMesh(answer);
  if (answer.kind === "refused" || answer.kind === "closed" || isDenied) return { result: "expected" };
  // Network policies drop packets. Without any answer of the pod it may be a lost connection.
  if (answer.kind === "unanswered")
    return isReached ? { result: "expected" } : { result: "failed", text: unansweredText(request, answer.why) };
  if (answer.kind === "notHttp") return { result: "expected" };
  const text = `${requestText(request)} without a credential with ${answer.status}`;
  if (isOfMlflow) return { result: "open", text: `${text}: MLflow can be reached without oauth2-proxy` };
  const isMlflow = isJson(answer) && /"(experiment|error_code)"/.test(answer.text);
  const isRejected = answer.status === 401 || answer.status === 403;
  return isMlflow && !isRejected ? { result: "open", text } : { result: "expected" };
}

/**
 * Returns the results of a round with those of earlier rounds. A pod that is gone has none, and a request that was not sent in this
 * round keeps its verdict.
 */
export function roundResults(
  { generation, services, pods }: EndpointChecks,
  found: Readonly<Record<string, Verdict>>,
  before: EndpointResults | undefined,
): EndpointResults {
  const prefixes = [...services, ...pods].map(verdictPrefix);
  const kept = before?.generation === generation ? Object.entries(before.verdicts) : [];
  const verdicts = new Map(kept.filter(([id]) => prefixes.some((prefix) => id.startsWith(prefix))));
  for (const [id, verdict] of Object.entries(found)) verdicts.set(id, verdict);
  const sorted = [...verdicts].sort(([one], [other]) => (one < other ? -1 : 1));
  return { generation, verdicts: Object.fromEntries(sorted) };
}

/** The beginning of the keys of an endpoint's verdicts. */
export function verdictPrefix({ endpoint: { what, host, port } }: ProbedEndpoint): string {
  return `${what} ${host} ${port} `;
}

/** The texts of the verdicts with this result. */
export function textsOf({ verdicts }: EndpointResults, result: "open" | "unexpected" | "failed"): string[] {
  return Object.values(verdicts).flatMap((verdict) => (verdict.result === result ? [verdict.text] : []));
}

/** Whether a redirect leads to the login of this server, which browsers need. */
function isLogin({ status, location }: Response, { expected: { login }, host, scheme }: EndpointChecks): boolean {
  if (login === undefined || status < 300 || status >= 400) return false;
  const own = `${scheme}://${host}`;
  const target = URL.parse(location, own);
  if (target === null) return false;
  if (target.origin === new URL(own).origin)
    return login.paths.some((path) => target.pathname === path || target.pathname.startsWith(`${path}/`));
  return login.clientID !== undefined && target.searchParams.get("client_id") === login.clientID;
}

function isJson({ contentType }: Response): boolean {
  return contentType.toLowerCase().startsWith("application/json");
}

/** Go's answer to http at a port for https: the pod is of a spec with another certificate setting. */
function isOfOtherScheme({ status, text }: Response): boolean {
  return status === 400 && text.startsWith("Client sent an HTTP request to an HTTPS server");
}

/** The origin of a redirect: its path and query can contain anything. */
function originOf(location: string): string {
  return URL.parse(location)?.origin ?? "another path";
}

function whyUnanswered(answer: Exclude<ProbeAnswer, { kind: "response" }>): string {
  switch (answer.kind) {
    case "notHttp":
      return "something else than HTTP";
    case "closed":
      return "the connection was closed without a response";
    case "refused":
      return "ECONNREFUSED";
    case "unanswered":
      return answer.why;
  }
}
