import type { Owned, Pod } from "../kube/manifests.ts";
import { label } from "../kube/names.ts";
import { objectText } from "../kube/object.ts";
import { enrolmentOf, type MeshMode, meshSteps } from "../model/mesh.ts";
import { isHibernated } from "../model/replicas.ts";
import type { Cause } from "./cause.ts";
import { isApplied, type MeshView } from "./mesh-view.ts";
import { deploymentOf } from "./server-workload.ts";

/** Why the pod template does not enroll pods in the mesh yet, or undefined. Running pods may be older. */
export function labelProblem(step: "ambient" | "sidecar", view: MeshView): Cause | undefined {
  if (isApplied(step, view)) return undefined;
  const deployment = deploymentOf(view);
  const what = deployment === undefined ? "the Deployment" : objectText(deployment);
  return { reason: "MeshProgressing", message: `${what} is being added to the mesh` };
}

/** Why a ready pod is not in the mesh, or undefined. Policies are not enforced for such a pod, regardless of the conditions. */
export function enrolmentProblem(mode: MeshMode, { server, owned }: MeshView): Cause | undefined {
  const { metadata, spec } = server;
  const ready = readyPods(owned);
  if (ready.length === 0) {
    if (isHibernated(spec))
      return {
        reason: "MeshHibernated",
        message: "No pods run, as the spec sets, so it is unknown whether they are in the mesh",
      };
    return { reason: "MeshProgressing", message: "No pod is ready, so it is unknown whether the pods are in the mesh" };
  }
  const sorted = ready.sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  for (const pod of sorted) {
    const message = notEnrolledReason[mode](pod, metadata.namespace);
    if (message === undefined) continue;
    if (isOutdated(pod, mode)) {
      return {
        reason: "MeshProgressing",
        message: `pod ${pod.metadata.name} is being replaced by a pod in the mesh`,
      };
    }
    return { reason: "PodsNotEnrolled", message };
  }
  return undefined;
}

/** Why a terminating pod may still serve requests that bypass the mesh, or undefined. Such a pod is not a fault. */
export function terminatingPodProblem(mode: MeshMode, { server, owned }: MeshView): Cause | undefined {
  const { namespace } = server.metadata;
  const pod = owned.find(
    (object): object is Pod =>
      object.kind === "Pod" &&
      isReadyServer(object) &&
      isTerminating(object) &&
      notEnrolledReason[mode](object, namespace) !== undefined,
  );
  if (pod === undefined) return undefined;
  return {
    reason: "MeshProgressing",
    message: `pod ${pod.metadata.name}, which is not in the mesh, is terminating and may still serve requests: see kubectl get pods -n ${namespace}`,
  };
}

/** Whether a pod was created before the pod template enrolled pods in the mesh. */
function isOutdated({ metadata }: Pod, mode: MeshMode): boolean {
  return enrolmentOf(metadata.labels) !== meshSteps[mode][0];
}

/** Whether a ready pod is in ambient mode, where ztunnel would evaluate a policy with paths. */
export function hasAmbientPod({ owned }: MeshView): boolean {
  return readyPods(owned).some(isAmbient);
}

/** Why a pod is not in the mesh, by mode. */
const notEnrolledReason: Readonly<Record<MeshMode, (pod: Pod, namespace: string) => string | undefined>> = {
  Ambient: outsideAmbient,
  Sidecar: withoutSidecar,
};

function outsideAmbient(pod: Pod, namespace: string): string | undefined {
  const { name } = pod.metadata;
  if (hasSidecar(pod))
    return `pod ${name} has an Istio sidecar, which does not use the waypoint: remove the label istio-injection or istio.io/rev from namespace ${namespace} and delete the pod, or set spec.mesh.istio.mode: Sidecar`;
  if (isAmbient(pod)) return undefined;
  return `pod ${name} is not in the mesh (no annotation ambient.istio.io/redirection: enabled): check that istio-cni and ztunnel run on its node, then delete the pod`;
}

function withoutSidecar(pod: Pod, namespace: string): string | undefined {
  const { name } = pod.metadata;
  if (isAmbient(pod))
    return `pod ${name} is in ambient mode, where the policy for sidecars denies all clients: set spec.mesh.istio.mode: Ambient, or delete the pod, whose replacement has the label istio.io/dataplane-mode: none`;
  if (hasSidecar(pod)) return undefined;
  return `pod ${name} has no sidecar (no annotation sidecar.istio.io/status): check that Istio's injection webhook is active for namespace ${namespace}, then delete the pod`;
}

function isAmbient({ metadata }: Pod): boolean {
  return metadata.annotations?.["ambient.istio.io/redirection"] === "enabled";
}

function hasSidecar({ metadata }: Pod): boolean {
  return metadata.annotations?.["sidecar.istio.io/status"] !== undefined;
}

/** Whether an object is a pod of the listener for traces. Terminating pods included. */
export function isListenerPod({ kind, metadata }: Owned): boolean {
  return kind === "Pod" && metadata.labels?.[label.component] === "traces";
}

function readyPods(owned: MeshView["owned"]): Pod[] {
  return owned.filter(
    (object): object is Pod => object.kind === "Pod" && isReadyServer(object) && !isTerminating(object),
  );
}

function isTerminating({ metadata }: Pod): boolean {
  return metadata.deletionTimestamp !== undefined;
}

function isReadyServer({ metadata, status }: Pod): boolean {
  if (metadata.labels?.[label.component] !== "server") return false;
  return status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") === true;
}
