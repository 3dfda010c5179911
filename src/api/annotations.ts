import { annotation } from "../kube/names.ts";

/** An annotation that administrators set on an MlflowServer. */
export interface AnnotationRow {
  readonly value: string;
  readonly effect: string;
}

/** All of them, for the reference. The operator sets none of them. */
export const serverAnnotations: Readonly<Record<string, AnnotationRow>> = {
  [annotation.restart]: {
    value: "any text, such as a date",
    effect:
      "A new value replaces the pods once, in a rolling update with several replicas. The migration does not run again. See [operations](operations.md#restarting-the-pods).",
  },
  [annotation.paused]: {
    value: "`true` or `false`",
    effect:
      "With `true` the operator changes nothing for the server but its status. See [operations](operations.md#pausing-a-server).",
  },
  [annotation.approveUpgrade]: {
    value: "the value of `status.upgrade.approval`",
    effect:
      "With `upgrade.approval: Manual` the change to this version and image begins. See [operations](operations.md#approval-and-maintenance-windows).",
  },
  [annotation.restored]: {
    value: "any text, such as a date",
    effect:
      "A new value confirms that a backup of the databases was restored, so the migration runs again. See [operations](operations.md#restoring-a-database).",
  },
  [annotation.replaceLostSecrets]: {
    value: "names of Secrets, separated by commas",
    effect: "These generated Secrets are lost, and are generated again. See [operations](operations.md#lost-keys).",
  },
  [annotation.operator]: {
    value: "`<namespace>/<name>` of a Lease",
    effect: "The operator that manages the server. See [operations](operations.md#several-operators).",
  },
};
