import type { MlflowServer } from "../api/server.ts";
import type { Deployment, Owned, Pod } from "../kube/manifests.ts";
import { label } from "../kube/names.ts";
import { objectNames } from "../model/names.ts";

/** The Deployment with this name. */
export function deploymentNamed(name: string, among: readonly Owned[]): Deployment | undefined {
  return among.find((object): object is Deployment => object.kind === "Deployment" && object.metadata.name === name);
}

/** The Deployment of a server. */
export function deploymentOf({
  owned,
  server,
}: {
  readonly owned: readonly Owned[];
  readonly server: Pick<MlflowServer, "metadata">;
}): Deployment | undefined {
  return deploymentNamed(objectNames.deployment(server.metadata.name), owned);
}

/** The Deployments of MLflow: that of the server first, then that of its pods for artifacts. Only those that exist. */
export function servingDeployments(view: {
  readonly owned: readonly Owned[];
  readonly server: Pick<MlflowServer, "metadata">;
}): Deployment[] {
  const ofArtifacts = objectNames.artifactServer(view.server.metadata.name);
  return [deploymentOf(view), deploymentNamed(ofArtifacts, view.owned)].filter((each) => each !== undefined);
}

/** The version of MLflow of the pods of a Deployment. */
export function versionIn({ spec }: Deployment): string | undefined {
  return spec.template.metadata?.labels?.[label.version];
}

/** The pods of a component, newest first. */
export function podsOf(component: string, owned: readonly Owned[]): Pod[] {
  return owned
    .filter((object): object is Pod => object.kind === "Pod" && object.metadata.labels?.[label.component] === component)
    .sort((a, b) => ((a.metadata.creationTimestamp ?? "") < (b.metadata.creationTimestamp ?? "") ? 1 : -1));
}

/** The pods of MLflow: those of the server and those for artifacts. */
export function servingPods(owned: readonly Owned[]): Pod[] {
  return [...podsOf("server", owned), ...podsOf("artifacts", owned)];
}

/** Whether a container of a pod may still run. */
export function isUnfinished({ status }: Pod): boolean {
  return status?.phase !== "Succeeded" && status?.phase !== "Failed";
}
