import type { MlflowServer } from "../api/server.ts";
import { label } from "../kube/names.ts";
import type { ObjectMeta } from "../kube/object.ts";
import { isAuthorizedByKubernetes } from "../resources/authentication/kubernetes-authorization.ts";
import type { CollectorCredential } from "./collector-credential.ts";

/** An OpenTelemetry Collector that sends traces to a server: all that its configuration and its manifests depend on. */
export interface Collector {
  readonly server: MlflowServer;
  readonly credential: CollectorCredential;
  /** Where it runs, and the name of its objects and its ServiceAccount. */
  readonly namespace: string;
  readonly name: string;
  readonly image: string;
  /** The id of the experiment that the traces go to. */
  readonly experiment: string;
  /** The namespace that the experiment is in, where namespaces are workspaces. */
  readonly workspace: string | undefined;
  /** The Secret with its credential, where it has one to keep. */
  readonly secretName: string;
  /** Where the issuer gives tokens. */
  readonly tokenUrl: string | undefined;
  readonly scopes: readonly string[];
  /** As whom Kubernetes knows it by a token of the issuer. */
  readonly user: string | undefined;
  /** A ConfigMap with the authority of the server's certificate, besides the public ones. */
  readonly serverAuthority: string | undefined;
}

/** Whether Kubernetes decides what it may write, and in which namespace. */
export function rightsNamespace({ server, workspace }: Pick<Collector, "server" | "workspace">): string | undefined {
  if (!isAuthorizedByKubernetes(server.spec)) return undefined;
  return workspace ?? server.metadata.namespace ?? "default";
}

/** Of each of its objects. Never our label for what the operator writes: that would be taken for a remnant. */
export function metadata({ name, namespace }: Collector): ObjectMeta {
  return { name, namespace, labels: selector({ name }) };
}

/** The label of its pods. */
export function selector({ name }: Pick<Collector, "name">): Record<string, string> {
  return { [label.application]: name };
}
