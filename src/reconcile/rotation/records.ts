import type { RotationRecord } from "../../api/status.ts";
import type { ServerModel } from "../../features/server-model.ts";
import { type RotatedKey, type Rotation, rotatedKeys } from "../../model/rotation.ts";
import type { DatabaseRotation } from "../../resources/rotation-job.ts";
import { contentHash, isComparable } from "./rotate-password.ts";

/** What the records in the status are computed from. */
export interface RecordsInput {
  readonly model: ServerModel;
  /** Whether all pods have started with the stored keys. */
  readonly isSettled: boolean;
  readonly isComplete: (rotation: DatabaseRotation) => boolean;
  /** What is encrypted again. */
  readonly encryptions: readonly DatabaseRotation[];
  readonly password: RotationRecord | undefined;
  readonly now: Date;
}

/** Returns `status.rotations`, in the order of the names. */
export function rotationRecords(input: RecordsInput): RotationRecord[] {
  const { model, isSettled, password } = input;
  const { isGenerated, keys } = model.session;
  const ofKeys = isGenerated
    ? rotatedKeys.flatMap((name) => ofKey(name, keys.rotations?.[name], isSettled) ?? [])
    : ofOwnKeys(input);
  return [...ofKeys, ...(password === undefined ? [] : [password]), ...(ofReferences(input) ?? [])];
}

function ofKey(name: RotatedKey, rotation: Rotation | undefined, isSettled: boolean): RotationRecord | undefined {
  if (rotation === undefined) return undefined;
  const { request, startedAt, completedAt } = rotation;
  const phase = rotation.phase === "Switching" && isSettled ? "Renewing" : rotation.phase;
  return { name, phase, request, startedAt, ...(completedAt !== undefined && { completedAt }) };
}

/** Keys in a Secret of the user: only what a Job encrypts again is known. */
function ofOwnKeys({ model, encryptions, isComplete, now }: RecordsInput): RotationRecord[] {
  const former = model.source.server.status?.rotations ?? [];
  return (["encryption-key", "webhook-key"] as const).flatMap((name): RotationRecord[] => {
    const before = former.find((each) => each.name === name);
    const encryption = encryptions.find((each) => each.name === name);
    if (encryption === undefined) return before === undefined ? [] : [before];
    const content = contentHash(model, encryption.content);
    if (before?.content === content && before.phase === "Completed") return [before];
    const startedAt = before?.content === content && before.startedAt ? before.startedAt : now.toISOString();
    if (!isComplete(encryption)) return [{ name, phase: "Renewing", startedAt, content }];
    return [{ name, phase: "Completed", startedAt, completedAt: now.toISOString(), content }];
  });
}

/** The content of referenced Secrets and ConfigMaps, which pods get by being replaced. */
function ofReferences({ model, isSettled, now }: RecordsInput): RotationRecord[] | undefined {
  if (model.referencesHash === undefined) return undefined;
  const name = "references";
  const before = model.source.server.status?.rotations?.find((each) => each.name === name);
  const content = contentHash(model, model.referencesHash);
  if (!isComparable(before, content)) return [{ name, phase: "Completed", content }];
  if (before.content !== content) return [{ name, phase: "Switching", startedAt: now.toISOString(), content }];
  if (before.phase === "Completed" || !isSettled) return [before];
  return [{ ...before, phase: "Completed", completedAt: now.toISOString() }];
}
