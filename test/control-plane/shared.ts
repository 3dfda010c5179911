import { type ClusterAccess, type ClusterAddress, clusterAccess } from "./cluster-access.ts";
import { startControlPlane } from "./control-plane.ts";

/** Environment variable with the JSON of a {@link ClusterAddress}, if the test command has started a control plane for all files. */
export const sharedControlPlaneVariable = "MLFLOW_OPERATOR_TEST_CONTROL_PLANE";

let shared: Promise<ClusterAccess> | undefined;

/**
 * Returns the control plane that test files share, with controllers and an audit log; a file that runs alone starts its
 * own, which ends with its process. Tests use separate namespaces. Tests that freeze or restart the API server
 * start their own control plane.
 */
export function sharedControlPlane(): Promise<ClusterAccess> {
  const address = process.env[sharedControlPlaneVariable];
  shared ??= address ? clusterAccess(parsed(address)) : startControlPlane();
  return shared;
}

/**
 * Returns why a test that needs an audit log or its own control plane must be skipped, or false: for the option
 * `skip` of node:test. K3s does not have the programs of the control plane.
 */
export function onK3s(): string | false {
  const address = process.env[sharedControlPlaneVariable];
  if (!address || parsed(address).auditLogPath) return false;
  return "K3s is used as the control plane; install Go or set KUBEBUILDER_ASSETS for this test";
}

function parsed(text: string): ClusterAddress {
  return JSON.parse(text);
}
