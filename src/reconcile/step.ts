import type { NewBackup } from "../api/backup.ts";
import type { MigrationRecord } from "../api/status.ts";
import type { Condition } from "../kube/conditions.ts";
import type { Deployment } from "../kube/manifests.ts";
import type { ObjectStep } from "./object-steps.ts";

/** One write. */
export type Step =
  | ObjectStep
  /** Writes `status.migration` before what follows, and with it the conditions if they are no longer correct. */
  | { readonly do: "record"; readonly record: MigrationRecord; readonly conditions?: readonly Condition[] | undefined }
  /** Marks the Deployment, if the upgrade of the operator may still change the pods of the server now. */
  | {
      readonly do: "start upgrade";
      readonly live: Deployment;
      readonly marker: string;
      readonly isAllowed: () => boolean;
    }
  /** Creates the backup before a change of the version. */
  | { readonly do: "create backup"; readonly backup: NewBackup }
  /** Adds the finalizer, until {@link finalize} has deleted objects outside the namespace. */
  | { readonly do: "add finalizer" }
  | { readonly do: "remove finalizer" };
