import type { MlflowServer } from "../api/server.ts";
import type { AuthorizationPolicy, Deployment, Gateway, Neighbour, Owned, Service } from "../kube/manifests.ts";
import { meshStepOf } from "../resources/mesh/index.ts";
import { type MeshStep, meshSteps } from "../resources/mesh/steps.ts";
import { waypointLabels } from "../resources/mesh/waypoint.ts";
import { objectNames } from "../resources/names.ts";
import type { Cause } from "./finding.ts";
import { neighbourProblem } from "./mesh-neighbours.ts";
import { bindingProblem, enrolmentProblem, lockProblem, passageProblem, tracesProblem } from "./mesh-proofs.ts";
import { waypointProblem } from "./mesh-waypoint.ts";

/** What is seen of a server in a mesh. */
export interface MeshView {
  readonly server: MlflowServer;
  readonly owned: readonly Owned[];
  /** Among them the Deployment that Istio has made for the waypoint. */
  readonly foreign: readonly Owned[];
  /** Undefined until they are known. */
  readonly neighbours: readonly Neighbour[] | undefined;
  /** Whether the cluster has the kinds of Istio and the Gateway API. */
  readonly isAvailable: boolean;
}

/** How far the mesh is, and how far it may go now. */
export interface Mesh {
  readonly steps: ReadonlySet<MeshStep>;
  /** The condition `MeshReady`; none where the spec has no mesh. */
  readonly finding?: (Cause & { readonly status: "True" | "False" | "Unknown" }) | undefined;
}

/** Each step is taken when those before it are proved, and what is there stays; without `spec.mesh` the last one goes. */
export function meshOf(view: MeshView): Mesh {
  const { server, isAvailable } = view;
  const reached = meshSteps.findLastIndex((step) => isThere(step, view));
  if (server.spec.mesh === undefined) return { steps: upTo(isAvailable ? reached - 1 : -1) };
  if (!isAvailable) return { steps: upTo(-1), finding: { status: "False", ...missing } };
  const problems = meshSteps.map((step) => problemOf(step, view));
  const unproved = problems.findIndex((problem) => problem !== undefined);
  const steps = upTo(Math.max(reached, unproved < 0 ? meshSteps.length - 1 : unproved));
  const problem = problems.find((found) => found !== undefined) ?? neighbourProblem(view);
  if (problem === undefined) return { steps, finding: { status: "True", ...enforced(server) } };
  return { steps, finding: { status: problem.reason === "MeshHibernated" ? "Unknown" : "False", ...problem } };
}

function upTo(last: number): ReadonlySet<MeshStep> {
  return new Set(meshSteps.slice(0, Math.max(0, last + 1)));
}

const missing: Cause = {
  reason: "IstioMissing",
  message:
    "the cluster lacks the kind Gateway (gateway.networking.k8s.io/v1) or AuthorizationPolicy (security.istio.io/v1). Install the Gateway API's definitions and Istio in ambient mode, or leave out spec.mesh; until then the server's own authentication alone guards /v1/traces",
};

function enforced({ spec }: MlflowServer): Cause {
  const writers = spec.traces?.writers.map(({ namespace, serviceAccount }) => `${namespace}/${serviceAccount}`) ?? [];
  const who = writers.length === 0 ? "nobody" : writers.sort().join(", ");
  return {
    reason: "MeshEnforced",
    message: `by what Istio and the pods report, ${who} may write traces, and all go through the waypoint`,
  };
}

/** Why the next step may not be taken, or undefined where this one is proved. */
function problemOf(step: MeshStep, view: MeshView): Cause | undefined {
  const { server, owned } = view;
  switch (step) {
    case "waypoint":
      return waypointProblem(server, gatewayOf(view), waypointDeployment(view));
    case "traces":
      return tracesProblem(server, policyOf("traces", view));
    case "binding":
      return bindingProblem(server, serviceOf(view)) ?? enrolmentProblem(server, owned);
    case "passage":
      return passageProblem(server, policyOf("passage", view));
    case "lock":
      return lockProblem(server, policyOf("lock", view));
  }
}

function isThere(step: MeshStep, view: MeshView): boolean {
  if (step === "waypoint") return gatewayOf(view) !== undefined;
  if (step !== "binding") return policyOf(step, view) !== undefined;
  const labels = serviceOf(view)?.metadata.labels;
  return Object.entries(waypointLabels(view.server)).some(([key, value]) => labels?.[key] === value);
}

function gatewayOf({ owned, server }: MeshView): Gateway | undefined {
  const { name } = server.metadata;
  return owned.find(
    (object): object is Gateway =>
      object.kind === "Gateway" && meshStepOf(object.kind, object.metadata.name, name) === "waypoint",
  );
}

function policyOf(step: MeshStep, { owned, server }: MeshView): AuthorizationPolicy | undefined {
  const { name } = server.metadata;
  return owned.find(
    (object): object is AuthorizationPolicy =>
      object.kind === "AuthorizationPolicy" && meshStepOf(object.kind, object.metadata.name, name) === step,
  );
}

function serviceOf({ owned, server }: MeshView): Service | undefined {
  const name = objectNames.service(server.metadata.name);
  return owned.find((object): object is Service => object.kind === "Service" && object.metadata.name === name);
}

/** Not ours: it belongs to the Gateway. */
function waypointDeployment({ foreign, server }: MeshView): Deployment | undefined {
  const name = objectNames.waypoint(server.metadata.name);
  return foreign.find((object): object is Deployment => object.kind === "Deployment" && object.metadata.name === name);
}
