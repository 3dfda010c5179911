import { authenticationMethod } from "../../features/authentication/index.ts";
import { objectNames } from "../../model/names.ts";
import { isHibernated } from "../../model/replicas.ts";
import { type EndpointResults, textsOf } from "../endpoint-checks.ts";
import type { StatusInput } from "../status-input.ts";
import { type ConditionState, formerOf, type ServerCondition, unchanged } from "./condition.ts";

/** Without an answer it is Unknown, never True. `Ready` does not depend on it. */
export const endpointSecured: ServerCondition = {
  type: "EndpointSecured",
  meaning:
    "The operator probes Service and pods as an unauthenticated client, after each rollout and every 30 seconds, and every request that needs a credential is rejected. `Ready` does not depend on it.",
  reasons: {
    Secured: { meaning: "All probes without a valid credential were rejected.", remedy: "" },
    EndpointOpen: {
      meaning:
        "A probe without a valid credential was answered, or MLflow's own port is reachable next to oauth2-proxy.",
      remedy:
        "Restrict the clients (`networkPolicy.from: []`), and compare the pods with the spec (`kubectl mlflow diff`). See docs/troubleshooting.md.",
    },
    UnexpectedResponse: {
      meaning: "A probe was rejected or redirected in another way than the authentication method does it.",
      remedy: "Read the message: another program may listen at the port of the pod.",
    },
    NetworkPolicyMissing: {
      meaning: "The NetworkPolicy of the server does not exist, and the operator does not create it at present.",
      remedy: "See the message of `Ready`, or remove the annotation `mlflow-operator.dev/paused`.",
    },
    AuthenticationDisabled: {
      meaning: "The spec asks for a server without authentication (`authentication.none`).",
      remedy: "Choose an authentication method, or restrict the clients with `networkPolicy.from`.",
    },
    ProbeFailed: {
      meaning: "A probe got no answer that proves something.",
      remedy:
        "Allow the operator to reach the pods (docs/network.md), and check whether the server answers its clients.",
    },
  },
  isIndependentOfSpec: true,
  state: (input) => {
    if (!input.isSpecRead || input.endpoints === undefined) return notChecked(input);
    const { results } = input.endpoints;
    const isOfSpec = results?.generation === (input.server.metadata.generation ?? 0);
    return isOfSpec ? stateOf(input, results) : beforeProbes(input);
  },
};

function stateOf(input: StatusInput, results: EndpointResults): ConditionState {
  const isOpen = (text: string, more: number): ConditionState => ({
    status: "False",
    reason: "EndpointOpen",
    message: `${text}${ofMore(more)}. Clients can use the server without authentication. Restrict spec.networkPolicy.from until this is fixed, and compare the pods with the spec (kubectl mlflow diff)`,
  });
  const [open, ...furtherOpen] = textsOf(results, "open");
  if (open !== undefined) return isOpen(open, furtherOpen.length);
  const { mesh, server } = input;
  // The listener relies on the mesh alone.
  if (mesh?.reason === "MeshNotEnforced" && server.spec.traces?.identity === "Mesh")
    return { status: "False", reason: "EndpointOpen", message: mesh.message };
  const [unexpected, ...furtherUnexpected] = textsOf(results, "unexpected");
  if (unexpected !== undefined)
    return {
      status: "False",
      reason: "UnexpectedResponse",
      message: `${unexpected}${ofMore(furtherUnexpected.length)}. Another program may listen at this port. Compare the pods with the spec (kubectl mlflow diff)`,
    };
  const policy = missingPolicy(input);
  if (policy !== undefined) return policy;
  const [failed, ...furtherFailed] = textsOf(results, "failed");
  if (failed !== undefined)
    return {
      status: "Unknown",
      reason: "ProbeFailed",
      message: `${failed}${ofMore(furtherFailed.length)}, so it is unknown whether the server rejects unauthenticated clients. Check that network policies allow the operator to reach the server's pods`,
    };
  if (authenticationMethod(server.spec).unauthenticated.isOpen)
    return {
      status: "False",
      reason: "AuthenticationDisabled",
      message:
        "spec.authentication.none: every client that reaches the server has full access, as the spec asks. Choose an authentication method to secure it",
    };
  return {
    status: "True",
    reason: "Secured",
    message: `Service/${objectNames.service(server.metadata.name)} and its pods reject requests without a valid credential`,
  };
}

/** The operator repairs it otherwise; not for a paused server, and not while a preflight check fails. */
function missingPolicy({ server, owned, deployment }: StatusInput): ConditionState | undefined {
  const name = objectNames.networkPolicy(server.metadata.name);
  const isWanted = server.spec.networkPolicy?.enabled !== false && deployment !== undefined;
  if (!isWanted || owned.some(({ kind, metadata }) => kind === "NetworkPolicy" && metadata.name === name))
    return undefined;
  return {
    status: "False",
    reason: "NetworkPolicyMissing",
    message: `NetworkPolicy ${name} does not exist, so clients can reach every port of the pods. The operator creates it as soon as it may change the server: see the message of Ready`,
  };
}

/** Before the first result for this generation: the former one stays, also after a restart of the operator. */
function beforeProbes(input: StatusInput): ConditionState {
  const former = formerOf(input.before, "EndpointSecured");
  if (former !== undefined && former.reason !== "NotChecked" && former.reason !== "Hibernated")
    return unchanged(former);
  return { status: "Unknown", reason: "NotChecked", message: "The server is being probed." };
}

function notChecked({ server, isSpecRead }: StatusInput): ConditionState {
  if (isSpecRead && isHibernated(server.spec))
    return { status: "Unknown", reason: "Hibernated", message: "No pods run, so there is nothing to probe." };
  return { status: "Unknown", reason: "NotChecked", message: "No pod is ready, so nothing is probed. See Ready." };
}

function ofMore(count: number): string {
  return count === 0 ? "" : ` (and ${count} more)`;
}
