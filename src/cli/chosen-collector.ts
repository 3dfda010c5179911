import type { MlflowServer } from "../api/server.ts";
import { type Collector, rightsNamespace } from "./collector.ts";
import type { CollectorChoices } from "./collector-choices.ts";
import { type CollectorCredential, collectorCredential } from "./collector-credential.ts";

/** The collector that the choices make for a server. Throws where they do not suit it. */
export function chosenCollector(server: MlflowServer, choices: CollectorChoices): Collector {
  const { tokenUrl, user, scopes, experiment, image, serverAuthority } = choices;
  const [writer] = server.spec.traces?.writers ?? [];
  const namespace = choices.collector?.namespace ?? writer?.namespace ?? server.metadata.namespace ?? "default";
  const name = choices.collector?.name ?? writer?.serviceAccount ?? "otel-collector";
  if (!/^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name))
    throw new Error(`${name} cannot be the name of a Service: name the collector by --collector <namespace>/<name>`);
  const credential = collectorCredential(server, choices.clusterDomain);
  const secretName = choices.secret ?? `${name}-mlflow`;
  const workspace = workspaceFor(server, choices.workspace);
  checkTokenUrl(credential, tokenUrl);
  if (serverAuthority !== undefined && server.spec.server?.tls === undefined)
    throw new Error("--server-ca is for a server with spec.server.tls: leave it out");
  const bindsUser = rightsNamespace({ server, workspace }) !== undefined && credential.kind === "ClientCredentials";
  if (choices.manifests && bindsUser && user === undefined)
    throw new Error(
      "Kubernetes decides by the name in the issuer's token: say by --user <name> whom that is, for the RoleBinding",
    );
  const chosen = { namespace, name, credential, secretName, workspace };
  return { server, experiment, image, tokenUrl, scopes, user, serverAuthority, ...chosen };
}

function workspaceFor({ spec }: MlflowServer, chosen: string | undefined): string | undefined {
  if (spec.workspaces === undefined) {
    if (chosen !== undefined) throw new Error("the server has no workspaces (spec.workspaces): leave out --workspace");
    return undefined;
  }
  const workspace = chosen ?? spec.workspaces.default;
  if (workspace === undefined)
    throw new Error("the server has workspaces and none by default: name the experiment's by --workspace <namespace>");
  return workspace;
}

function checkTokenUrl(credential: CollectorCredential, tokenUrl: string | undefined): void {
  if (credential.kind !== "ClientCredentials") {
    if (tokenUrl !== undefined) throw new Error("this server needs no token of an issuer: leave out --token-url");
    return;
  }
  const { discoveryURL } = credential;
  if (tokenUrl === undefined)
    throw new Error(`name the issuer's token endpoint by --token-url: it is token_endpoint in ${discoveryURL}`);
  const known = URL.canParse(tokenUrl) ? new URL(tokenUrl).protocol : "";
  if (known !== "https:" && !(known === "http:" && discoveryURL.startsWith("http:")))
    throw new Error("--token-url is an https URL: over plain http the client's secret could be read on the way");
}
