import type { RestoreRecord } from "../../api/status.ts";
import { formerOf, type ServerCondition, unchanged } from "./condition.ts";

export const restored: ServerCondition = {
  type: "Restored",
  meaning: "With `spec.restore`: the databases, and the artifacts of a volume, were restored from a backup.",
  reasons: {
    RestoreCompleted: { meaning: "The backup is restored. `spec.restore` is ignored from then on.", remedy: "" },
  },
  isOf: ({ restore }) => restore !== undefined,
  state: ({ server, outcome, before }) => {
    const record = outcome.restore?.record ?? before.restore;
    const wanted = server.spec.restore?.backupRef.name;
    if (record !== undefined) {
      return { status: "True", reason: "RestoreCompleted", message: textOf(record, wanted) };
    }
    if (outcome.restore?.cause !== undefined) return { status: "False", ...outcome.restore.cause };
    const former = formerOf(before, "Restored");
    if (former !== undefined) return unchanged(former);
    return { status: "Unknown", reason: "NotChecked", message: "The restore has not begun. See the message of Ready." };
  },
};

function textOf(record: RestoreRecord, wanted: string | undefined): string {
  const {
    backup,
    time,
    experiments,
    runs,
    registeredModels,
    users,
    credentials = 0,
    unreadableCredentials = 0,
  } = record;
  const counts = [
    [experiments, "experiments"],
    [runs, "runs"],
    [registeredModels, "registered models"],
    [users, "users"],
  ].flatMap(([count, what]) => (count === undefined ? [] : [`${count} ${what}`]));
  const content = counts.length === 0 ? "" : ` It has ${counts.join(", ")}.`;
  const keys =
    unreadableCredentials === 0
      ? ""
      : ` ${unreadableCredentials} of ${credentials} stored credentials cannot be decrypted: users must enter them again.`;
  const ignored =
    wanted === undefined || wanted === backup
      ? ""
      : ` spec.restore names MlflowBackup/${wanted} and is ignored, because a server is restored once: remove it.`;
  return `The server was restored from MlflowBackup/${backup} at ${time}.${content}${keys}${ignored}`;
}
