/** Requests of the operator to a server, as a client without permissions. They test how the server answers; they carry no secret. */

/** An address of a server. */
export interface ProbeEndpoint {
  /** For messages: kind and name. */
  readonly what: string;
  readonly host: string;
  readonly port: number;
}

export interface ProbeRequest {
  readonly endpoint: ProbeEndpoint;
  /** Default: http. The certificate of an https endpoint is not verified, because nothing secret is sent. */
  readonly scheme?: "http" | "https";
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What a request has caused. */
export type ProbeAnswer =
  | {
      readonly kind: "response";
      readonly status: number;
      readonly contentType: string;
      readonly location: string;
      /** The beginning of the body. */
      readonly text: string;
    }
  /** Something else than HTTP. */
  | { readonly kind: "notHttp" }
  /** The connection was accepted, and closed without a byte, as ztunnel does it. */
  | { readonly kind: "closed" }
  /** Nothing listens at the port. */
  | { readonly kind: "refused" }
  /** A timeout, or no connection for another reason. */
  | { readonly kind: "unanswered"; readonly why: string };

/** Sends a request. Never rejects. */
export type SendProbe = (request: ProbeRequest, timeoutSeconds: number) => Promise<ProbeAnswer>;

/** A request as messages name it. */
export function requestText({ endpoint, method, path }: ProbeRequest): string {
  return `${endpointText(endpoint)} answered ${method} ${path}`;
}

/** Why there is no answer. */
export function unansweredText({ endpoint, method, path }: ProbeRequest, why: string): string {
  return `${endpointText(endpoint)} did not answer ${method} ${path}: ${why}`;
}

/** What an endpoint does that answers too slowly. */
export function lateText({ endpoint }: ProbeRequest, seconds: number): string {
  return `${endpointText(endpoint)} did not answer all probes within ${seconds} s`;
}

function endpointText({ what, host, port }: ProbeEndpoint): string {
  return `${what} (${host.includes(":") ? `[${host}]` : host}:${port})`;
}

/** Whether the mesh has denied a request: Envoy's RBAC filter answers it, ztunnel closes the connection without a byte. */
export function isDeniedByMesh(answer: ProbeAnswer): boolean {
  if (answer.kind === "response") return answer.status === 403 && answer.text.startsWith("RBAC: access denied");
  return answer.kind === "closed";
}
