import type { MlflowServer } from "../api/server.ts";
import { label } from "../kube/names.ts";
import type { ObjectMeta } from "../kube/object.ts";
import { isAuthorizedByKubernetes } from "../model/workspaces.ts";
import type { CollectorCredential } from "./collector-credential.ts";

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
