import { type ClusterAccess, type ClusterAddress, clusterAccess } from "./cluster-access.ts";
import { startControlPlane } from "./control-plane.ts";

/** Holds the JSON of a {@link ClusterAddress} where the test command has started a control plane for all files. */
export const sharedControlPlaneVariable = "MLFLOW_OPERATOR_TEST_CONTROL_PLANE";

let shared: Promise<ClusterAccess> | undefined;

/**
 * The control plane that test files share, with controllers and an audit log; a file that is run by itself gets one of
 * its own, which goes away with its process. Tests keep apart by namespaces. What freezes or restarts the API server
 * starts its own control plane instead.
 */
export function sharedControlPlane(): Promise<ClusterAccess> {
  const address = process.env[sharedControlPlaneVariable];
  shared ??= address ? clusterAccess(parsed(address)) : startControlPlane();
  return shared;
}

/**
 * Why a test that needs an audit log or a control plane of its own must be skipped, or false: to be given to node:test
 * as `skip`. Such a test can run wherever the control plane's programs are; on K3s there are none.
 */
export function onK3s(): string | false {
  const address = process.env[sharedControlPlaneVariable];
  if (!address || parsed(address).auditLogPath) return false;
  return "K3s stands in for the control plane; for this one install Go or set KUBEBUILDER_ASSETS";
}

function parsed(text: string): ClusterAddress {
  return JSON.parse(text);
}
