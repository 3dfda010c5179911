import type { RotationRecord } from "../../api/status.ts";
import { administratorOf } from "../../features/authentication/index.ts";
import type { ServerModel } from "../../features/server-model.ts";
import { decoded } from "../../kube/data.ts";
import { fromSecret } from "../../kube/variable.ts";
import type { Credentials } from "../../model/inputs.ts";
import { dataKeys } from "../../model/names.ts";
import type { DatabaseRotation } from "../../resources/rotation-job.ts";
import { randomPassword } from "../generated-keys.ts";

const name = "admin-password";

/** What the next step of the rotation of the administrator's password depends on. */
export interface PasswordState {
  readonly model: ServerModel;
  readonly before: RotationRecord | undefined;
  /** The requested token. */
  readonly token: string | undefined;
  /** Whether a new rotation may begin. */
  readonly isSettled: boolean;
  /** Whether the Job of a rotation has completed. */
  readonly isComplete: (rotation: DatabaseRotation) => boolean;
  readonly now: Date;
}

export interface PasswordStep {
  readonly record: RotationRecord;
  /** The next content of the generated Secret. */
  readonly credentials?: Credentials;
  /** What MLflow's users must get. Until the status has the record of its completion, the Job stays. */
  readonly change?: DatabaseRotation;
}

/**
 * The next step of setting the administrator's password in MLflow's users, after a request or after any change of the Secret. A server of which
 * no credentials are recorded has those of its Secret since its first migration, or an administrator has changed the password in MLflow.
 */
export function passwordStep(state: PasswordState): PasswordStep | undefined {
  const { model, before, isComplete, now } = state;
  const found = credentialsOf(model);
  if (found === undefined) return undefined;
  const { generated, username, password, secret, usernameKey, passwordKey } = found;
  const content = contentHash(model, [username, password]);
  const requested = generated?.rotations?.[name];
  const isDue = isComparable(before, content) ? before.content !== content : generated?.nextPassword !== undefined;
  const times = requested && { request: requested.request, startedAt: requested.startedAt };
  if (!isDue) {
    const record = { ...before, name, phase: "Completed", content } as const;
    const begun = generated && beginning(generated, state);
    return { record, ...(begun && { credentials: begun }) };
  }
  const variables = [
    fromSecret("MLFLOW_AUTH_ADMIN_USERNAME", secret, usernameKey),
    fromSecret("MLFLOW_AUTH_ADMIN_PASSWORD", secret, passwordKey),
  ];
  const change: DatabaseRotation = { name, content: [content], variables };
  const isContinued = before !== undefined && before.phase !== "Completed";
  const startedAt = isContinued ? (before.startedAt ?? now.toISOString()) : now.toISOString();
  if (!isComplete(change)) {
    const former = before?.content === undefined ? {} : { content: before.content };
    return { record: { name, phase: "Renewing", startedAt, ...times, ...former }, change };
  }
  const completedAt = now.toISOString();
  const record = { name, phase: "Completed", startedAt, ...times, completedAt, content } as const;
  if (generated?.nextPassword === undefined || requested === undefined) return { record, change };
  const rotations = { ...generated.rotations, [name]: { ...requested, phase: "Completed", completedAt } as const };
  return { record, change, credentials: { username, password, rotations } };
}

/** The credentials that MLflow must have, and the Secret with them; undefined if no administrator can log in, or the Secret is incomplete. */
function credentialsOf({ source, generatedAdmin, references }: ServerModel) {
  const administrator = administratorOf(source.server);
  if (!administrator?.canLogIn) return undefined;
  const { secretName: secret, usernameKey, passwordKey } = administrator;
  if (generatedAdmin !== undefined) {
    const { username, password, nextPassword } = generatedAdmin;
    const key = nextPassword === undefined ? passwordKey : dataKeys.nextPassword;
    const ofSecret = { secret, usernameKey, passwordKey: key };
    return { ...ofSecret, generated: generatedAdmin, username, password: nextPassword ?? password };
  }
  const data = references.secrets.get(secret)?.data;
  const [username, password] = [decoded(data, usernameKey), decoded(data, passwordKey)];
  if (username === undefined || password === undefined) return undefined;
  return { secret, usernameKey, passwordKey, generated: undefined, username, password };
}

function beginning(generated: Credentials, { token, isSettled, now }: PasswordState): Credentials | undefined {
  if (token === undefined || !isSettled || token === generated.rotations?.[name]?.request) return undefined;
  const started = { request: token, phase: "Switching", startedAt: now.toISOString() } as const;
  return { ...generated, nextPassword: randomPassword(), rotations: { ...generated.rotations, [name]: started } };
}

/** A keyed hash, after a fingerprint of its key: hashes with another key are not compared. */
export function contentHash({ keyedHash }: Pick<ServerModel, "keyedHash">, content: unknown): string {
  return `${keyedHash("fingerprint").slice(0, 8)}.${keyedHash(JSON.stringify(content))}`;
}

export function isComparable(
  before: RotationRecord | undefined,
  content: string,
): before is RotationRecord & { readonly content: string } {
  return before?.content?.split(".")[0] === content.split(".")[0];
}
