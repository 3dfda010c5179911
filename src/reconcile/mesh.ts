import type { MlflowServer } from "../api/server.ts";
import { hasListener, type MeshMode, type MeshStep, meshSteps } from "../resources/mesh/steps.ts";
import { listenerUrl } from "../resources/names.ts";
import type { Cause } from "./finding.ts";
import { meshConflict } from "./mesh-conflict.ts";
import { hasAmbientPod, isListenerPod, terminatingPodProblem } from "./mesh-enrolment.ts";
import { inconclusiveProbeProblem, probeProblem } from "./mesh-probe-problem.ts";
import { meshStepProblem } from "./mesh-step-problem.ts";
import { isApplied, listenerOf, type MeshView } from "./mesh-view.ts";
import { isDenied } from "./probe-results.ts";

export interface MeshFinding extends Cause {
  readonly status: "True" | "False" | "Unknown";
  /** The generation that it was found of, where this pass could not probe. */
  readonly observedGeneration?: number;
}

/** How far the mesh is, and how far it may go now. */
export interface Mesh {
  readonly steps: ReadonlySet<MeshStep>;
  /** Policies stay as they are: with the identities of the spec they would keep everybody out. */
  readonly keepsPolicies?: boolean;
  /** The condition `MeshReady`; none where the spec names neither a mesh nor writers. */
  readonly finding?: MeshFinding | undefined;
}

/**
 * The way of the server itself, and behind it the listener for traces, where the mesh's word is enough: its door stands
 * open while all is proved, and goes first when anything of that is lost. What keeps it shut stays until its pods are gone.
 */
export function meshOf(view: MeshView): Mesh {
  const way = serverMesh(view);
  if (!view.isAvailable) return way;
  if (!hasListener(view.server) || formerMode(view) !== undefined)
    return isListenerPresent(view) ? withSteps(way, "writers") : way;
  const problem = way.finding?.status === "True" ? meshStepProblem("writers", view) : way.finding;
  if (problem !== undefined) return { ...withSteps(way, "writers"), finding: { status: "False", ...problem } };
  if (listenerOf(view) === undefined && !isDenied(view.probes())) {
    const unproved = inconclusiveProbeProblem(view);
    const shut = withSteps(way, "writers");
    return unproved === undefined ? shut : { ...shut, finding: { status: "False", ...unproved } };
  }
  const open = withSteps(way, "writers", "listener");
  const unanswered = meshStepProblem("listener", view);
  return unanswered === undefined ? open : { ...open, finding: { status: "False", ...unanswered } };
}

function withSteps(mesh: Mesh, ...more: readonly MeshStep[]): Mesh {
  return { ...mesh, steps: new Set([...mesh.steps, ...more]) };
}

/** Whether somebody may still answer at the listener's door. */
function isListenerPresent({ owned, server }: MeshView): boolean {
  return listenerOf({ owned, server }) !== undefined || owned.some(isListenerPod);
}

/**
 * Each step is taken when those before it are proved, and what is there stays. Another mode than that of the spec, or one
 * that it does not have any more, is left first: its last step goes.
 */
function serverMesh(view: MeshView): Mesh {
  const { server, isAvailable } = view;
  const mode = server.spec.mesh?.istio.mode;
  const former = formerMode(view);
  if (former !== undefined) {
    const steps = upTo(isAvailable ? reachedOf(former, view) - 1 : -1, former);
    return { steps, finding: mode === undefined ? withoutMesh(server) : leaving(former, mode) };
  }
  if (mode === undefined) return { steps: new Set(), finding: withoutMesh(server) };
  if (!isAvailable) return { steps: new Set(), finding: { status: "False", ...missing[mode] } };
  const problems = meshSteps[mode].map((step) => meshStepProblem(step, view));
  const unproved = problems.findIndex((problem) => problem !== undefined);
  const problem =
    problems.find((found) => found !== undefined) ??
    terminatingPodProblem(mode, view) ??
    meshConflict(view) ??
    probeProblem(view);
  const steps = upTo(Math.max(keptSteps(mode, view), unproved < 0 ? problems.length - 1 : unproved), mode);
  if (problem === undefined)
    return { steps, finding: { status: "True", ...enforced(server, mode), ...unprobed(view) } };
  const keepsPolicies = problem.reason === "TrustDomainUnexpected";
  return {
    steps,
    keepsPolicies,
    finding: { status: problem.reason === "MeshHibernated" ? "Unknown" : "False", ...problem },
  };
}

/** What was probed of an earlier generation, until this one has been: it keeps its generation and its words. */
function unprobed({ server, probes }: MeshView): Partial<MeshFinding> {
  const before = server.status?.conditions?.find(({ type }) => type === "MeshReady");
  if (probes() !== undefined || before?.status !== "True") return {};
  const { message, observedGeneration } = before;
  return { message, observedGeneration };
}

/** A mode that the spec does not have any more, while something of it is left. */
function formerMode(view: MeshView): MeshMode | undefined {
  const mode = view.server.spec.mesh?.istio.mode;
  return modes.find((each) => each !== mode && reachedOf(each, view) >= 0);
}

const modes: readonly MeshMode[] = ["Ambient", "Sidecar"];

function reachedOf(mode: MeshMode, view: MeshView): number {
  return meshSteps[mode].findLastIndex((step) => isApplied(step, view));
}

/** What stays, whatever is lost; but that pods in ambient mode would let nobody in by the policy of sidecars. */
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

function leaving(former: MeshMode, mode: MeshMode): Mesh["finding"] {
  return {
    status: "False",
    reason: "MeshProgressing",
    message: `Moving the server from Istio's ${former} mode to ${mode} mode, step by step`,
  };
}

/** Writers without a mesh that could tell them apart. */
function withoutMesh({ spec }: MlflowServer): Mesh["finding"] {
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
