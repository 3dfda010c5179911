import type { V1EnvVar } from "@kubernetes/client-node";
import type { ServerModel } from "../features/server-model.ts";
import type { Job } from "../kube/manifests.ts";
import { literal } from "../kube/variable.ts";
import { ownedMetadata } from "../model/metadata.ts";
import { objectNames } from "../model/names.ts";
import type { RotationName } from "../model/rotation.ts";
import { withAppliedFieldsHash } from "./applied-fields-hash.ts";
import { databaseVariables, job, taskSpec } from "./migration-job.ts";
import { encryptionKeys } from "./pod/environment.ts";
import { program } from "./pod/program.ts";
import { taskContainer } from "./pod/task.ts";
import { temporaryVariables } from "./pod/volumes.ts";
import { rotateProgram } from "./python-programs.ts";

/** What a Job changes in a database of the server. */
export interface DatabaseRotation {
  readonly name: Extract<RotationName, "encryption-key" | "webhook-key" | "admin-password">;
  /** The values of which the Job's name has a hash, so a completed Job of that name proves that the database has them. */
  readonly content: readonly unknown[];
  readonly variables: readonly V1EnvVar[];
}

/** Returns the rotation that encrypts rows again with the current key. */
export function encryptionRotation(model: ServerModel, name: "encryption-key" | "webhook-key"): DatabaseRotation {
  const { accepted = {}, kekPassphrase, kekVersion, webhookKey } = model.session.keys;
  const content =
    name === "webhook-key"
      ? [webhookKey, accepted.webhookKey]
      : [kekPassphrase, kekVersion, accepted.kekPassphrase, accepted.kekVersion];
  return { name, content, variables: encryptionKeys(model) };
}

/**
 * Returns the Job of a rotation, which runs while pods serve. It retries until it succeeds, so it recovers without intervention when a database is
 * available again.
 */
export function rotationJob(model: ServerModel, { name, content, variables }: DatabaseRotation): Job {
  const hash = model.keyedHash(JSON.stringify([name, ...content, model.migration.databaseHash])).slice(0, 10);
  const { command, variable } = program(rotateProgram);
  const container = taskContainer(model, "rotate", command, [
    variable,
    literal("ROTATION", name),
    ...temporaryVariables,
    ...databaseVariables(model),
    ...variables,
  ]);
  const spec = taskSpec(model, container, { mounts: model.database.volume !== undefined });
  const metadata = ownedMetadata(model.owner, objectNames.rotationJob(model.name, hash), "rotation");
  return withAppliedFieldsHash(job(model, metadata, spec, "rotation"));
}
