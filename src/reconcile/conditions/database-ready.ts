import type { Reason } from "../../api/reasons.ts";
import { formerOf, type ServerCondition, unchanged } from "./condition.ts";

/** If the database was not checked, the condition keeps its generation: a missing Secret does not change it. */
export const databaseReady: ServerCondition = {
  type: "DatabaseReady",
  meaning: "The database is reachable and has the schema of this version.",
  state: ({ outcome: { migration }, before }) => {
    if (migration === undefined) {
      const former = formerOf(before, "DatabaseReady");
      if (former !== undefined) return unchanged(former);
      const message = "The database has not been checked yet. See the message of Ready.";
      return { status: "Unknown", reason: "NotChecked", message };
    }
    if (isOfArtifacts(migration.cause.reason)) {
      const message = "The migration waits until the artifact store is writable";
      return { status: "False", reason: "MigrationPending", message };
    }
    return { status: migration.complete ? "True" : "False", ...migration.cause };
  },
};

/** Whether a reason is about the artifact store, which the migration's Job checks before the database. */
function isOfArtifacts(reason: Reason): boolean {
  return reason.startsWith("ArtifactStore");
}
