import type { RestoreRecord } from "../api/status.ts";
import type { Job, Owned } from "../kube/manifests.ts";
import { label } from "../kube/names.ts";

/** Whether an object is the Job that restores a backup. */
export function isRestoreJob(object: Owned): object is Job {
  return object.kind === "Job" && object.metadata.labels?.[label.component] === "restore";
}

type Counts = Omit<RestoreRecord, "backup" | "location" | "time">;

const numbers = ["experiments", "runs", "registeredModels", "users", "credentials", "unreadableCredentials"] as const;

/** The result in the termination message of the program; without what is not a number. */
export function restoredCounts(message: string | undefined): Counts {
  try {
    const report: unknown = JSON.parse(message ?? "");
    if (typeof report !== "object" || report === null) return {};
    const entries = new Map<string, unknown>(Object.entries(report));
    const counts = numbers.flatMap((name) => {
      const value = entries.get(name);
      return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? [[name, value] as const] : [];
    });
    return Object.fromEntries(counts);
  } catch {
    return {};
  }
}
