import assert from "node:assert/strict";
import type { MlflowBackup } from "../../src/api/backup.ts";
import type { LiveFixture } from "./live-fixture.ts";
import { waitUntil } from "./wait-until.ts";

/** A PersistentVolumeClaim for backups. */
export interface BackupClaim {
  /** `destination` of an MlflowBackup or an MlflowBackupSchedule. */
  readonly destination: object;
  /** Returns the path of a backup below the destination, for `existing`. */
  readonly pathOf: (backup: MlflowBackup) => string;
}

const claimName = "backups";
const path = "cluster-1";

export async function createBackupClaim({ objects }: LiveFixture): Promise<BackupClaim> {
  const resources = { requests: { storage: "1Gi" } };
  await objects.create("PersistentVolumeClaim", {
    metadata: { name: claimName },
    spec: { accessModes: ["ReadWriteOnce"], resources },
  });
  return {
    destination: { persistentVolumeClaim: { claimName, path } },
    pathOf: ({ status }) => status?.location?.slice(`pvc://${claimName}/${path}/`.length) ?? "",
  };
}

/** Waits until a backup has ended, and returns it. */
export function endedBackup({ objects }: LiveFixture, name: string): Promise<MlflowBackup> {
  return waitUntil(async () => {
    const backup = await objects.the("MlflowBackup", name);
    const ready = backup.status?.conditions?.find(({ type }) => type === "Ready");
    assert.match(backup.status?.phase ?? "", /^(Completed|Failed)$/, ready?.message ?? "");
    return backup;
  }, 600);
}
