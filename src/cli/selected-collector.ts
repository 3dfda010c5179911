import type { MlflowServer } from "../api/server.ts";
import { type Collector, rightsNamespace } from "./collector.ts";
import { type CollectorCredential, collectorCredential } from "./collector-credential.ts";
import { type CollectorOptions, collectorIdentity } from "./collector-options.ts";

/** The collector of the options for a server. Throws where the server does not support the options. */
export function collectorOf(server: MlflowServer, options: CollectorOptions): Collector {
  const { tokenUrl, user, scope: scopes = [], experiment, image, serverCa } = options;
  const identity = collectorIdentity(options);
  const [writer] = server.spec.traces?.writers ?? [];
  const namespace = identity?.namespace ?? writer?.namespace ?? server.metadata.namespace;
  const name = identity?.name ?? writer?.serviceAccount ?? "otel-collector";
  if (!/^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name))
    throw new Error(`${name} is not a valid name of a Service: set --collector <namespace>/<name>`);
  const credential = collectorCredential(server, options.clusterDomain);
  const secretName = options.secret ?? `${name}-mlflow`;
  const workspace = workspaceFor(server, options.workspace);
  checkTokenUrl(credential, tokenUrl);
  if (serverCa !== undefined && server.spec.server?.tls === undefined)
    throw new Error("--server-ca needs a server with spec.server.tls: leave it out");
  const bindsUser = rightsNamespace({ server, workspace }) !== undefined && credential.kind === "ClientCredentials";
  if (options.manifests && bindsUser && user === undefined)
    throw new Error(
      "Kubernetes authorizes the collector by the user name in the issuer's token: set it with --user <name>, for the RoleBinding",
    );
  const ids = { namespace, name, credential, secretName, workspace };
  return { server, experiment, image, tokenUrl, scopes, user, serverCa, ...ids };
}

function workspaceFor({ spec }: MlflowServer, given: string | undefined): string | undefined {
  if (spec.workspaces === undefined) {
    if (given !== undefined)
      throw new Error("the server has no workspaces (spec.workspaces is not set): leave out --workspace");
    return undefined;
  }
  const workspace = given ?? spec.workspaces.default;
  if (workspace === undefined)
    throw new Error(
      "the server has workspaces and no default: set that of the experiment with --workspace <namespace>",
    );
  return workspace;
}

function checkTokenUrl(credential: CollectorCredential, tokenUrl: string | undefined): void {
  if (credential.kind !== "ClientCredentials") {
    if (tokenUrl !== undefined) throw new Error("this server accepts no token of an issuer: leave out --token-url");
    return;
  }
  const { discoveryURL } = credential;
  if (tokenUrl === undefined)
    throw new Error(`set the issuer's token endpoint with --token-url: it is token_endpoint in ${discoveryURL}`);
  const protocol = URL.canParse(tokenUrl) ? new URL(tokenUrl).protocol : "";
  if (protocol !== "https:" && !(protocol === "http:" && discoveryURL.startsWith("http:")))
    throw new Error("--token-url is an https URL: plain http sends the client secret unencrypted");
}
