/** What a deployer has to know of one version of MLflow. */
export interface VersionRow {
  readonly version: string;
  /** What differs from the version before it, for the reference page. */
  readonly note: string;
  /** The version of mlflow-oidc-auth that goes with it. */
  readonly oidcPlugin: string;
  /** The version of mlflow-kubernetes-plugins that goes with it; undefined: none that keeps its doors shut is known. */
  readonly kubernetesPlugin?: string;
}

/**
 * The versions of MLflow that the operator runs, newest first. What they need of flags, variables and probe paths is the same
 * for all of them, and stands where it is used; what ways of authentication differ in is here.
 */
export const versions = [
  {
    version: "3.17.2",
    note: "the newest that installs cleanly with the authentication plugins",
    oidcPlugin: "11.0.2",
    kubernetesPlugin: "2.1.0",
  },
  { version: "3.17.1", note: "", oidcPlugin: "11.0.2", kubernetesPlugin: "2.1.0" },
  { version: "3.17.0", note: "", oidcPlugin: "11.0.2", kubernetesPlugin: "2.1.0" },
  { version: "3.16.1", note: "the oldest: no default password, administrator by environment", oidcPlugin: "11.0.2" },
] as const satisfies readonly VersionRow[];

export type MlflowVersion = (typeof versions)[number]["version"];

/** A version of MLflow that the operator does not run, why, and the nearest one that it does. */
export interface UnfitVersion {
  /** The versions, as people name them. */
  readonly versions: string;
  /** A regular expression (RE2) for them. */
  readonly pattern: string;
  readonly why: string;
  readonly nearest: MlflowVersion;
}

/** The first that fits is shown. */
export const unfitVersions: readonly UnfitVersion[] = [
  {
    versions: "3.18",
    pattern: "^3[.]18([.].*)?$",
    why: "does not start with mlflow-kubernetes-plugins 2.1.0, the newest, which knows no rule for some of its routes",
    nearest: "3.17.2",
  },
  {
    versions: "3.16.0",
    pattern: "^3[.]16[.]0$",
    why: "shuts users without administrator rights out of the UI under basic authentication",
    nearest: "3.16.1",
  },
  {
    versions: "before 3.16",
    pattern: "^([0-2]|3[.]([0-9]|1[0-5]))([.].*)?$",
    why: "comes with a default password that everybody knows (CVE-2026-2635)",
    nearest: "3.16.1",
  },
];

/** All versions, newest first; `spec.version` takes just these. */
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
