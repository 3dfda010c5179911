/** What a deployer has to know of one version of MLflow. */
export interface VersionRow {
  readonly version: string;
  /** What differs from the version before it, for the reference page. */
  readonly note: string;
  /** The version of mlflow-kubernetes-plugins that goes with it; undefined: none that keeps its doors shut is known. */
  readonly kubernetesPlugin?: string;
}

/**
 * The versions of MLflow that the operator runs, newest first. It begins with 3.16.1: the first that takes the
 * administrator's password from the environment, so that it need not stand in a file; 3.16.0 shut users without
 * administrator rights out of the UI, and earlier ones come with a well-known default password (CVE-2026-2635).
 */
export const versions = [
  {
    version: "3.17.2",
    note: "the newest that installs cleanly with the authentication plugins",
    kubernetesPlugin: "2.1.0",
  },
  { version: "3.17.1", note: "", kubernetesPlugin: "2.1.0" },
  { version: "3.17.0", note: "", kubernetesPlugin: "2.1.0" },
  { version: "3.16.1", note: "the oldest: no default password, administrator by environment" },
] as const satisfies readonly VersionRow[];

export type MlflowVersion = (typeof versions)[number]["version"];

/** All versions, newest first; the CRD's `spec.version` takes just these. */
export const supportedVersions: readonly MlflowVersion[] = versions.map((row) => row.version);

/** The versions that `authentication.kubernetes` goes with: mlflow-kubernetes-plugins 2.1.0 takes 3.17 and nothing else. */
export const kubernetesVersions: readonly MlflowVersion[] = versions.flatMap((row) =>
  "kubernetesPlugin" in row ? [row.version] : [],
);

/** Whether going from one version to another would take the database schema back. Unknown versions count as oldest. */
export function isDowngrade(from: string, to: string): boolean {
  const order: readonly string[] = supportedVersions;
  return order.includes(from) && order.indexOf(from) < (order.includes(to) ? order.indexOf(to) : order.length);
}
