import type { ProxySettings } from "../api/fields/oauth2-proxy.ts";
import type { CertificateAuthority } from "../api/fields/reference.ts";
import type { MlflowServer } from "../api/server.ts";
import { authenticationMethod, discoveryURLOf } from "../features/authentication/index.ts";
import { label } from "../kube/names.ts";
import type { ObjectMeta } from "../kube/object.ts";
import { hasListener } from "../model/mesh.ts";
import { isAuthorizedByKubernetes } from "../model/workspaces.ts";
import { type CollectorOptions, collectorIdentity } from "./collector-options.ts";

/** The credential by which a server authenticates a collector. */
export type CollectorCredential =
  | { readonly kind: "None" }
  /** A user name and a password. */
  | { readonly kind: "Password" }
  /** A token that the collector requests from the issuer. */
  | { readonly kind: "ClientCredentials"; readonly discoveryURL: string; readonly ca: CertificateAuthority | undefined }
  /** The projected token of its ServiceAccount. Without an audience it is valid for the API server. */
  | { readonly kind: "ServiceAccountToken"; readonly audience: string | undefined };

/**
 * The credential with the fewest secrets: none where the identity in the mesh is enough, no stored one where the token of a ServiceAccount is
 * accepted. Throws where the server rejects programs.
 */
function collectorCredential(server: MlflowServer, clusterDomain: string): CollectorCredential {
  if (hasListener(server)) return { kind: "None" };
  const { authentication } = server.spec;
  const { oauth2Proxy: proxy } = authentication;
  if (authentication.basic !== undefined || authentication.ldap !== undefined) return { kind: "Password" };
  const issuers = authenticationMethod(server.spec).issuers({ clusterDomain });
  const [main] = issuers;
  if (main === undefined) {
    if (!isAuthorizedByKubernetes(server.spec)) return { kind: "None" };
    return { kind: "ServiceAccountToken", audience: undefined };
  }
  if (proxy?.skipJWTBearerTokens === false)
    throw new Error(
      `MlflowServer/${server.metadata.name} rejects programs (spec.authentication.oauth2Proxy.skipJWTBearerTokens: false): leave it out`,
    );
  const ofCluster = issuers.find(({ isCluster }) => isCluster);
  if (ofCluster !== undefined && proxy !== undefined && takesServiceAccounts(proxy))
    return { kind: "ServiceAccountToken", audience: ofCluster.audience };
  return { kind: "ClientCredentials", discoveryURL: discoveryURLOf(main), ca: (authentication.oidc ?? proxy)?.ca };
}

/** Tokens of ServiceAccounts have neither groups nor an e-mail address. */
function takesServiceAccounts({ allowedGroups, emailDomains = ["*"] }: ProxySettings): boolean {
  return allowedGroups === undefined && emailDomains.includes("*");
}

/** An OpenTelemetry Collector that sends traces to a server, with all inputs of its configuration and manifests. */
export interface Collector {
  readonly server: MlflowServer;
  readonly credential: CollectorCredential;
  /** The namespace and name of its objects and its ServiceAccount. */
  readonly namespace: string;
  readonly name: string;
  readonly image: string;
  /** The id of the experiment that receives the traces. */
  readonly experiment: string;
  /** The workspace of the experiment, where the server has workspaces. */
  readonly workspace: string | undefined;
  /** The Secret with its credential, where it has one. */
  readonly secretName: string;
  /** The token endpoint of the issuer. */
  readonly tokenUrl: string | undefined;
  readonly scopes: readonly string[];
  /** The user name that Kubernetes has for its token of the issuer. */
  readonly user: string | undefined;
  /** A ConfigMap with the CA certificate of the server, in addition to the public CAs. */
  readonly serverCa: string | undefined;
}

/** The namespace in which Kubernetes authorizes its writes; undefined where Kubernetes does not. */
export function rightsNamespace({ server, workspace }: Pick<Collector, "server" | "workspace">): string | undefined {
  if (!isAuthorizedByKubernetes(server.spec)) return undefined;
  return workspace ?? server.metadata.namespace;
}

/** The metadata of its objects. Without the label of the operator's own objects, which it would delete as obsolete. */
export function metadata({ name, namespace }: Collector): ObjectMeta {
  return { name, namespace, labels: selector({ name }) };
}

/** The labels of its pods. */
export function selector({ name }: Pick<Collector, "name">): Record<string, string> {
  return { [label.application]: name };
}

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
      "Kubernetes authorizes the collector by the user name in the issuer's token: set it by --user <name>, for the RoleBinding",
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
    throw new Error("the server has workspaces and no default: set the experiment's by --workspace <namespace>");
  return workspace;
}

function checkTokenUrl(credential: CollectorCredential, tokenUrl: string | undefined): void {
  if (credential.kind !== "ClientCredentials") {
    if (tokenUrl !== undefined) throw new Error("this server accepts no token of an issuer: leave out --token-url");
    return;
  }
  const { discoveryURL } = credential;
  if (tokenUrl === undefined)
    throw new Error(`set the issuer's token endpoint by --token-url: it is token_endpoint in ${discoveryURL}`);
  const protocol = URL.canParse(tokenUrl) ? new URL(tokenUrl).protocol : "";
  if (protocol !== "https:" && !(protocol === "http:" && discoveryURL.startsWith("http:")))
    throw new Error("--token-url is an https URL: plain http sends the client secret unencrypted");
}
