import type { MlflowServer } from "../api/server.ts";
import { hasListener, type MeshMode, type MeshStep, meshSteps } from "../model/mesh.ts";
import { listenerUrl } from "../model/names.ts";
import type { Cause } from "./cause.ts";
import { meshConflict } from "./mesh-conflict.ts";
import { hasAmbientPod, isListenerPod, terminatingPodProblem } from "./mesh-enrolment.ts";
import { inconclusiveProbeProblem, probeProblem } from "./mesh-probe-problem.ts";
import { meshStepProblem } from "./mesh-step-problem.ts";
import { isApplied, listenerOf, type MeshView } from "./mesh-view.ts";
import { isDenied } from "./probe-results.ts";

export interface MeshCondition extends Cause {
  readonly status: "True" | "False" | "Unknown";
  /** The generation of an earlier probe, if this reconciliation could not probe. */
  readonly observedGeneration?: number;
}

/** The mesh objects that the server must have now, and the condition `MeshReady`. */
export interface Mesh {
  readonly steps: ReadonlySet<MeshStep>;
  /** Policies are not updated: with the identities of the spec they would deny all clients. */
  readonly keepsPolicies?: boolean;
  /** The condition `MeshReady`; undefined if the spec has neither a mesh nor writers. */
  readonly condition?: MeshCondition | undefined;
}

/**
 * The mesh steps of the server, and of the listener for traces, which relies on the mesh alone: it runs only while all other steps are
 * verified, and is removed first when one is not. The policies that protect it stay until its pods are deleted.
 */
export function meshOf(view: MeshView): Mesh {
  const mesh = serverMesh(view);
  if (!view.isAvailable) return mesh;
  if (!hasListener(view.server) || formerMode(view) !== undefined)
    return isListenerPresent(view) ? withSteps(mesh, "writers") : mesh;
  const problem = mesh.condition?.status === "True" ? meshStepProblem("writers", view) : mesh.condition;
  if (problem !== undefined) return { ...withSteps(mesh, "writers"), condition: { status: "False", ...problem } };
  if (listenerOf(view) === undefined && !isDenied(view.probes())) {
    const unconfirmed = inconclusiveProbeProblem(view);
    const closed = withSteps(mesh, "writers");
    return unconfirmed === undefined ? closed : { ...closed, condition: { status: "False", ...unconfirmed } };
  }
  const open = withSteps(mesh, "writers", "listener");
  const unavailable = meshStepProblem("listener", view);
  return unavailable === undefined ? open : { ...open, condition: { status: "False", ...unavailable } };
}

function withSteps(mesh: Mesh, ...more: readonly MeshStep[]): Mesh {
  return { ...mesh, steps: new Set([...mesh.steps, ...more]) };
}

/** Whether the listener for traces or one of its pods still exists. */
function isListenerPresent({ owned, server }: MeshView): boolean {
  return listenerOf({ owned, server }) !== undefined || owned.some(isListenerPod);
}

/**
 * The mesh steps of the server without the listener. A step is applied when those before it are verified, and stays. A mode that the spec
 * no longer has is removed first, last step first.
 */
function serverMesh(view: MeshView): Mesh {
  const { server, isAvailable } = view;
  const mode = server.spec.mesh?.istio.mode;
  const former = formerMode(view);
  if (former !== undefined) {
    const steps = upTo(isAvailable ? reachedOf(former, view) - 1 : -1, former);
    return { steps, condition: mode === undefined ? withoutMesh(server) : modeChange(former, mode) };
  }
  if (mode === undefined) return { steps: new Set(), condition: withoutMesh(server) };
  if (!isAvailable) return { steps: new Set(), condition: { status: "False", ...missing[mode] } };
  const problems = meshSteps[mode].map((step) => meshStepProblem(step, view));
  const unconfirmed = problems.findIndex((problem) => problem !== undefined);
  const problem =
    problems.find((found) => found !== undefined) ??
    terminatingPodProblem(mode, view) ??
    meshConflict(view) ??
    probeProblem(view);
  const steps = upTo(Math.max(keptSteps(mode, view), unconfirmed < 0 ? problems.length - 1 : unconfirmed), mode);
  if (problem === undefined)
    return { steps, condition: { status: "True", ...enforced(server, mode), ...unprobed(view) } };
  const keepsPolicies = problem.reason === "TrustDomainUnexpected";
  return {
    steps,
    keepsPolicies,
    condition: { status: problem.reason === "MeshHibernated" ? "Unknown" : "False", ...problem },
  };
}

/** The message and generation of an earlier probe, until this generation has been probed. */
function unprobed({ server, probes }: MeshView): Partial<MeshCondition> {
  const before = server.status?.conditions?.find(({ type }) => type === "MeshReady");
  if (probes() !== undefined || before?.status !== "True") return {};
  const { message, observedGeneration } = before;
  return { message, observedGeneration };
}

/** A mode that the spec no longer has, while one of its steps is still applied. */
function formerMode(view: MeshView): MeshMode | undefined {
  const mode = view.server.spec.mesh?.istio.mode;
  return modes.find((each) => each !== mode && reachedOf(each, view) >= 0);
}

const modes: readonly MeshMode[] = ["Ambient", "Sidecar"];

function reachedOf(mode: MeshMode, view: MeshView): number {
  return meshSteps[mode].findLastIndex((step) => isApplied(step, view));
}

/** The last step that stays applied. With pods in ambient mode the policy for sidecars would deny all clients, so it does not stay. */
function keptSteps(mode: MeshMode, view: MeshView): number {
  return mode === "Sidecar" && hasAmbientPod(view) ? 0 : reachedOf(mode, view);
}

function upTo(last: number, mode: MeshMode): ReadonlySet<MeshStep> {
  return new Set(meshSteps[mode].slice(0, Math.max(0, last + 1)));
}

const fallback = "until then only the server's own authentication protects /v1/traces";

const missing: Readonly<Record<MeshMode, Cause>> = {
  Ambient: {
    reason: "IstioMissing",
    message: `The cluster does not have the kind Gateway (gateway.networking.k8s.io/v1) or AuthorizationPolicy (security.istio.io/v1). Install the Gateway API's CustomResourceDefinitions and Istio in ambient mode, or leave out spec.mesh; ${fallback}`,
  },
  Sidecar: {
    reason: "IstioMissing",
    message: `The cluster does not have the kind AuthorizationPolicy (security.istio.io/v1). Install Istio, or leave out spec.mesh; ${fallback}`,
  },
};

function modeChange(former: MeshMode, mode: MeshMode): Mesh["condition"] {
  return {
    status: "False",
    reason: "MeshProgressing",
    message: `Moving the server from Istio's ${former} mode to ${mode} mode, step by step`,
  };
}

/** The condition of a server with writers but without a mesh to enforce them. */
function withoutMesh({ spec }: MlflowServer): Mesh["condition"] {
  if (spec.traces === undefined) return undefined;
  const guard =
    spec.authentication.none !== undefined
      ? "and without authentication any client that reaches the server's port can write traces"
      : "so any client that the server authenticates can write the traces that MLflow's permissions allow";
  return {
    status: "False",
    reason: "MeshNotConfigured",
    message: `Without a mesh spec.traces.writers is not enforced, ${guard}. spec.networkPolicy.from can restrict which clients reach the port, but not by path. Add spec.mesh.istio, or leave out spec.traces`,
  };
}

function enforced(server: MlflowServer, mode: MeshMode): Cause {
  const writers =
    server.spec.traces?.writers.map(({ namespace, serviceAccount }) => `${namespace}/${serviceAccount}`) ?? [];
  const who = writers.length === 0 ? "No client" : writers.sort().join(", ");
  const where = mode === "Ambient" ? "all requests go through the waypoint" : "each pod's sidecar enforces this";
  const listener = hasListener(server) ? `, and with their mesh identity alone at ${listenerUrl(server)}` : "";
  return {
    reason: "MeshEnforced",
    message: `${who} can write traces${listener}. Istio and the pods report that ${where}`,
  };
}
