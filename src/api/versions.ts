/** A supported version of MLflow. */
export interface VersionRow {
  readonly version: string;
  /** The differences to the previous version, for the reference page. */
  readonly note: string;
  /** The compatible version of mlflow-oidc-auth. */
  readonly oidcPlugin: string;
  /** The compatible version of mlflow-kubernetes-plugins; undefined if no secure one is known. */
  readonly kubernetesPlugin?: string;
  /**
   * Why no pod of an earlier version can write while and after the schema is migrated to this version; absent if pods of the
   * previous version can serve until they are replaced.
   */
  readonly writersMustStop?: string;
  /** Whether MLflow asks for a backup before the migration to this version. */
  readonly backupRequired?: true;
}

/**
 * The supported versions of MLflow, newest first. They need the same flags, variables and probe paths; only their
 * authentication plugins differ.
 */
export const versions = [
  {
    version: "3.17.2",
    note: "the newest that installs cleanly with the authentication plugins",
    oidcPlugin: "11.0.2",
    kubernetesPlugin: "2.1.0",
  },
  { version: "3.17.1", note: "", oidcPlugin: "11.0.2", kubernetesPlugin: "2.1.0" },
  {
    version: "3.17.0",
    note: "",
    oidcPlugin: "11.0.2",
    kubernetesPlugin: "2.1.0",
    // https://github.com/mlflow/mlflow/releases/tag/v3.17.0; 3.16 then answers POST /v1/traces with 400, which exporters do not repeat.
    writersMustStop:
      "its schema has no column into which 3.16 writes spans, so spans that pods of 3.16 receive are lost",
    backupRequired: true,
  },
  {
    version: "3.16.1",
    note: "the oldest: no default password, administrator set by environment variables",
    oidcPlugin: "11.0.2",
  },
] as const satisfies readonly VersionRow[];

/** Why all pods must stop before the schema is migrated from one version to another; undefined if they can be replaced one by one. */
export function writersMustStop(from: string, to: string): string | undefined {
  return rowsBetween(from, to).find((row) => row.writersMustStop !== undefined)?.writersMustStop;
}

/** Whether MLflow asks for a backup before the schema is migrated from one version to another. */
export function backupRequired(from: string, to: string): boolean {
  return rowsBetween(from, to).some((row) => row.backupRequired === true);
}

function rowsBetween(from: string, to: string): readonly VersionRow[] {
  const position = (version: string) => {
    const index = supportedVersions.map(String).indexOf(version);
    return index === -1 ? versions.length : index;
  };
  // Newest first: the rows above the former version, from the new version on.
  return versions.slice(position(to), position(from));
}

export type MlflowVersion = (typeof versions)[number]["version"];

/** Versions of MLflow that the operator does not support, the reason, and the nearest supported version. */
export interface UnsupportedVersion {
  /** The versions, for the reference page. */
  readonly versions: string;
  /** A regular expression (RE2) for them. */
  readonly pattern: string;
  readonly why: string;
  readonly nearest: MlflowVersion;
}

/** The first match is reported. */
export const unsupportedVersions: readonly UnsupportedVersion[] = [
  {
    versions: "3.18",
    pattern: "^3[.]18([.].*)?$",
    why: "does not start with mlflow-kubernetes-plugins 2.1.0, the newest, which has no rules for some of its routes",
    nearest: "3.17.2",
  },
  {
    versions: "3.16.0",
    pattern: "^3[.]16[.]0$",
    why: "denies users who are not administrators the UI under basic authentication",
    nearest: "3.16.1",
  },
  {
    versions: "before 3.16",
    pattern: "^([0-2]|3[.]([0-9]|1[0-5]))([.].*)?$",
    why: "has a publicly known default password (CVE-2026-2635)",
    nearest: "3.16.1",
  },
];

/** All versions, newest first; `spec.version` accepts only these. */
export const supportedVersions: readonly MlflowVersion[] = versions.map((row) => row.version);

/** The versions that support `authentication.kubernetes`: mlflow-kubernetes-plugins 2.1.0 supports only 3.17. */
export const kubernetesVersions: readonly MlflowVersion[] = versions.flatMap((row) =>
  "kubernetesPlugin" in row ? [row.version] : [],
);

/** Whether a change of the version would downgrade the database schema. Unknown versions count as the oldest. */
export function isDowngrade(from: string, to: string): boolean {
  const order: readonly string[] = supportedVersions;
  return order.includes(from) && order.indexOf(from) < (order.includes(to) ? order.indexOf(to) : order.length);
}
