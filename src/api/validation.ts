import { z } from "zod";
import type { OwnKind } from "../kube/kinds.ts";
import { backupSchema, type MlflowBackup } from "./backup.ts";
import { backupScheduleSchema, type MlflowBackupSchedule } from "./backup-schedule.ts";
import { mlflowBackupScheduleSpec } from "./backup-schedule-spec.ts";
import { mlflowBackupSpec } from "./backup-spec.ts";
import { cronTimes } from "./cron.ts";
import { type FieldProblem, invalid } from "./field-problem.ts";
import { resourceSchema } from "./resource-schema.ts";
import { ruleProblems } from "./rule-problems.ts";
import { apiVersion, type MlflowServer } from "./server.ts";
import { mlflowServerSpec } from "./spec.ts";
import type { StructuralSchema } from "./structural-schema.ts";
import { isObject, metadataFields, structureProblems, withoutNulls } from "./structure.ts";
import { type MlflowWorkspaceAccess, workspaceAccessSchema } from "./workspace-access.ts";
import { mlflowWorkspaceAccessSpec } from "./workspace-access-spec.ts";

/** All problems that the API server would report for a document. */
interface Rejection {
  /** With its messages. */
  readonly problems: readonly string[];
  /** The same, and further problems that it reports only after these are fixed. */
  readonly fields: readonly FieldProblem[];
  readonly schema: StructuralSchema;
}

/** A valid MlflowServer, or its problems. */
export type Validation = { readonly server: MlflowServer } | Rejection;

/** A valid MlflowBackup, or its problems. */
export type BackupValidation = { readonly backup: MlflowBackup } | Rejection;

/** A valid MlflowBackupSchedule, or its problems. */
export type BackupScheduleValidation = { readonly backupSchedule: MlflowBackupSchedule } | Rejection;

/** A valid MlflowWorkspaceAccess, or its problems. */
export type AccessValidation = { readonly access: MlflowWorkspaceAccess } | Rejection;

const mustBeText = "must be text: put the value in quotes";
const texts = z.record(z.string(), z.string(mustBeText), "must be an object, such as {team: research}");
const namespaceName = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const mustBeNamespace =
  "must be the name of a namespace: lower case letters, digits and -, with a letter or digit at both ends";

function identity<K extends string>(kind: K, noun: string) {
  const name = `Required value: name the ${noun}`;
  return z.object({
    apiVersion: z.literal(apiVersion, `must be ${apiVersion}`),
    kind: z.literal(kind, `must be ${kind}`),
    metadata: z.object(
      {
        name: z.string({ error: ({ input }) => (input === undefined ? name : mustBeText) }).min(1, name),
        namespace: z.string(mustBeText).regex(namespaceName, mustBeNamespace).exactOptional(),
        labels: texts.exactOptional(),
        annotations: texts.exactOptional(),
      },
      name,
    ),
  });
}

const serverIdentity = identity("MlflowServer", "server");
const accessIdentity = identity("MlflowWorkspaceAccess", "access");
const backupIdentity = identity("MlflowBackup", "backup");
const scheduleIdentity = identity("MlflowBackupSchedule", "schedule");
const serverSchema = resourceSchema();
const accessSchema = workspaceAccessSchema();
const schemaOfBackups = backupSchema();
const schemaOfSchedules = backupScheduleSchema();

/**
 * Validates a document without a cluster, as the API server would validate its creation: the structure first, then,
 * if that is valid, the CEL rules of the CRD, with the same messages. Defaults are filled in, also the namespace, as kubectl does; a
 * status is ignored. Loads zod and a CEL interpreter: import it only where it is needed.
 */
export function validate(given: unknown, namespace = "default"): Validation {
  const document = withoutNulls(given);
  const parsed = serverIdentity.safeParse(document);
  const fields = problemsOf(document, parsed, serverSchema);
  if (fields.length > 0 || !parsed.success || !isObject(document)) return rejection(fields, serverSchema);
  const metadata = { namespace, ...parsed.data.metadata };
  return { server: { ...parsed.data, metadata, spec: mlflowServerSpec.parse(document["spec"]) } };
}

/** {@link validate} for a MlflowWorkspaceAccess. */
export function validateAccess(given: unknown, namespace = "default"): AccessValidation {
  const document = withoutNulls(given);
  const parsed = accessIdentity.safeParse(document);
  const fields = problemsOf(document, parsed, accessSchema);
  if (fields.length > 0 || !parsed.success || !isObject(document)) return rejection(fields, accessSchema);
  const metadata = { namespace, ...parsed.data.metadata };
  return { access: { ...parsed.data, metadata, spec: mlflowWorkspaceAccessSpec.parse(document["spec"]) } };
}

/** {@link validate} for an MlflowBackup. */
export function validateBackup(given: unknown, namespace = "default"): BackupValidation {
  const document = withoutNulls(given);
  const parsed = backupIdentity.safeParse(document);
  const fields = problemsOf(document, parsed, schemaOfBackups);
  if (fields.length > 0 || !parsed.success || !isObject(document)) return rejection(fields, schemaOfBackups);
  const metadata = { namespace, ...parsed.data.metadata };
  return { backup: { ...parsed.data, metadata, spec: mlflowBackupSpec.parse(document["spec"]) } };
}

/** {@link validate} for an MlflowBackupSchedule. Also reports a schedule without a time, which the API server accepts. */
export function validateBackupSchedule(given: unknown, namespace = "default"): BackupScheduleValidation {
  const document = withoutNulls(given);
  const parsed = scheduleIdentity.safeParse(document);
  const fields = problemsOf(document, parsed, schemaOfSchedules);
  if (fields.length > 0 || !parsed.success || !isObject(document)) return rejection(fields, schemaOfSchedules);
  const metadata = { namespace, ...parsed.data.metadata };
  const spec = mlflowBackupScheduleSpec.parse(document["spec"]);
  const times = cronTimes(spec.schedule, spec.timeZone);
  if (!("problem" in times)) return { backupSchedule: { ...parsed.data, metadata, spec } };
  const { field, text } = times.problem;
  const body = invalid(spec[field], text);
  return rejection([offlineOnly({ field: `spec.${field}`, body, blocking: false })], schemaOfSchedules);
}

/** The validation of each kind. */
export const validators = {
  MlflowServer: validate,
  MlflowWorkspaceAccess: validateAccess,
  MlflowBackup: validateBackup,
  MlflowBackupSchedule: validateBackupSchedule,
} satisfies Record<OwnKind, unknown>;

function rejection(fields: readonly FieldProblem[], schema: StructuralSchema): Rejection {
  const known = fields.filter(({ isOfflineOnly }) => isOfflineOnly !== true);
  return { problems: known.map(({ field, body }) => (field === "" ? body : `${field}: ${body}`)), fields, schema };
}

function problemsOf(
  document: unknown,
  parsed: z.ZodSafeParseResult<{ metadata: { name: string } }>,
  schema: StructuralSchema,
): FieldProblem[] {
  const issues = (parsed.error?.issues ?? []).map(({ path, message }) => ({
    field: path.length > 0 ? path.join(".") : "document",
    body: message,
    blocking: true,
  }));
  if (!isObject(document)) return issues;
  const { status: _, metadata, ...rest } = document;
  const unknown = Object.keys(isObject(metadata) ? metadata : {})
    .filter((field) => !metadataFields.includes(field))
    .map((field) => ({ field: "", body: `unknown field "metadata.${field}"`, blocking: true }));
  const name = isObject(metadata) ? metadata["name"] : undefined;
  const isNamed = typeof name === "string" && name !== "";
  const desired = { ...rest, ...(isNamed && { metadata: { name } }) };
  const structure = [...unknown, ...structureProblems(schema, desired, "")];
  // The API server stops at a field that it does not know. The rules can be evaluated without that field.
  const isSound = isNamed && structure.every(({ blocking, field }) => !blocking || field === "");
  const broken = isSound ? ruleProblems(schema, desired, "") : [];
  if (issues.length > 0) return [...issues, ...[...structure, ...broken].map(offlineOnly)];
  return [...structure, ...(structure.some(({ blocking }) => blocking) ? broken.map(offlineOnly) : broken)];
}

function offlineOnly(problem: FieldProblem): FieldProblem {
  return { ...problem, isOfflineOnly: true };
}
