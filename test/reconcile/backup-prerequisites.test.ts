import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MlflowBackup } from "../../src/api/backup.ts";
import type { MlflowServerSpec } from "../../src/api/spec.ts";
import type { Owned } from "../../src/kube/manifests.ts";
import { serverVolume } from "../../src/reconcile/backup/backup-prerequisites.ts";
import { server } from "../support/fixtures.ts";

const backup = (destination: MlflowBackup["spec"]["destination"]) => ({
  kind: "MlflowBackup",
  metadata: { name: "nightly", namespace: "ml" },
  spec: { destination },
});
const onClaim = (claimName: string) => backup({ persistentVolumeClaim: { claimName, path: "backups" } });

const named = (name: string, artifactStore: MlflowServerSpec["artifactStore"]) =>
  server({ artifactStore }, { metadata: { name, namespace: "ml" } });
const servers = [
  named("tracking", { persistentVolume: {} }),
  named("shared", { persistentVolume: { existingClaim: "team-data", subPath: "mlflow" } }),
  named("bucket", { s3: { bucket: "models" } }),
];

/** What the cluster has of a namespace. */
const view = (owned: readonly Owned[] = []) => ({
  serversIn: (namespace: string) => (namespace === "ml" ? servers : []),
  owned: ({ name }: { name: string }) => owned.filter(({ metadata }) => metadata.name === name),
});
const reasonOf = (claim: string, owned?: readonly Owned[]) => serverVolume(view(owned), onClaim(claim))?.reason;

describe("a destination", () => {
  test("is rejected if it is the data volume of any server in the namespace, with a folder too", () => {
    for (const claim of ["tracking", "team-data", "bucket"])
      assert.equal(reasonOf(claim), "BackupDestinationIsServerVolume", claim);
    const message = serverVolume(view(), onClaim("team-data"))?.message;
    assert.match(message ?? "", /PersistentVolumeClaim\/team-data, which is the data volume of MlflowServer\/shared/);
    assert.match(message ?? "", /Create an MlflowBackup with another claim or a bucket\.$/);
  });

  test("is rejected if it is the volume of a deleted server, which a server of the same name uses again", () => {
    const retained: Owned = {
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: { name: "former", namespace: "ml" },
      spec: {},
    };
    assert.equal(reasonOf("former", [retained]), "BackupDestinationIsServerVolume");
    assert.equal(reasonOf("former"), undefined);
  });

  test("is accepted if it is another claim, a claim of another namespace's server, or a bucket", () => {
    assert.equal(reasonOf("mlflow-backups"), undefined);
    const elsewhere = { ...onClaim("tracking"), metadata: { name: "nightly", namespace: "other" } };
    assert.equal(serverVolume(view(), elsewhere), undefined);
    const s3 = { bucket: "tracking", credentialsSecretRef: { name: "backup-s3" } };
    assert.equal(serverVolume(view(), backup({ s3 })), undefined);
  });
});
