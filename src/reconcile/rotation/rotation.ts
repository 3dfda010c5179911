import type { MlflowServer } from "../../api/server.ts";
import type { RotationRecord } from "../../api/status.ts";
import type { ServerModel } from "../../features/server-model.ts";
import type { Deployment, Job, Owned } from "../../kube/manifests.ts";
import { annotation } from "../../kube/names.ts";
import { objectText } from "../../kube/object.ts";
import type { Inputs } from "../../model/inputs.ts";
import type { RotationName } from "../../model/rotation.ts";
import { type DatabaseRotation, encryptionRotation, rotationJob } from "../../resources/rotation-job.ts";
import type { Cause } from "../cause.ts";
import { isFinished, isRotationJob } from "../migration.ts";
import { ownershipOf } from "../ownership.ts";
import { isRolledOut } from "../rollout.ts";
import { deploymentOf, isUnfinished, podsOf, servingDeployments, servingPods, versionIn } from "../server-workload.ts";
import type { Warnings } from "../warnings.ts";
import { jobProblem } from "../workload-problem.ts";
import { rotationRecords } from "./records.ts";
import { type RotationRequests, rotationRequests } from "./requests.ts";
import { nextKeys, overlapLeft } from "./rotate-keys.ts";
import { type PasswordStep, passwordStep } from "./rotate-password.ts";

/** Why a rotation does not begin or does not continue. */
export interface RotationProblem {
  readonly reason: Cause["reason"] | "RotationWaiting";
  readonly message: string;
}

/** The rotations of a server, and their next step. */
export interface RotationStep {
  /** The inputs with the next content of the generated Secrets. */
  readonly inputs: Inputs;
  /** The Jobs that must exist. */
  readonly jobs: readonly Job[];
  /** The value of `status.rotations`. */
  readonly records: readonly RotationRecord[];
  readonly problem?: RotationProblem | undefined;
  /** Seconds until the next step, if no watch event triggers it. */
  readonly againInSeconds?: number;
}

/** What the next step is decided from. The inputs and the model have the stored content of the Secrets. */
export interface RotationInput {
  readonly inputs: Inputs;
  readonly model: ServerModel;
  readonly owned: readonly Owned[];
  readonly warnings: Warnings;
  /** Whether a backup is written, whose manifest has the fingerprint of the present key; default: false. */
  readonly isBackedUp?: boolean;
  readonly now: Date;
}

/**
 * Returns the next step of all rotations. The progress is stored in the Secrets, together with the keys: a step is one write, so a killed operator repeats or continues it,
 * and one request is one rotation.
 */
export function rotationStep(given: RotationInput): RotationStep {
  const { inputs, model, owned, isBackedUp = false, now } = given;
  const { server } = inputs;
  const requests = rotationRequests(server);
  const { tokens } = requests;
  const isReady = isDatabaseReady(given);
  const isSettled = isReady && runsCurrentKeys(given);
  const isComplete = (rotation: DatabaseRotation) => {
    const { name } = rotationJob(model, rotation).metadata;
    return owned.some((each) => isRotationJob(each) && each.metadata.name === name && isFinished(each, "Complete"));
  };
  const password = passwordStep({
    ...{ model, isSettled, isComplete, now },
    before: server.status?.rotations?.find(({ name }) => name === "admin-password"),
    token: tokens.get("admin-password"),
  });
  const encryptions = isSettled ? encryptionsOf(model) : [];
  const isEncrypted = (name: string) => encryptions.some((each) => each.name === name && isComplete(each));
  const isExclusive = model.volume?.isExclusive === true;
  const session =
    isSettled && !isBackedUp && model.session.isGenerated
      ? nextKeys({ keys: inputs.session, tokens, isExclusive, isEncrypted, now })
      : inputs.session;
  const changes = [...encryptions, ...(password?.change && isReady ? [password.change] : [])];
  const jobs = changes.map((change) => rotationJob(model, change));
  const records = rotationRecords({ model, isSettled, isComplete, encryptions, password: password?.record, now });
  const problem =
    requests.problem ?? jobsProblem(jobs, given) ?? waitingRequest(given, requests, password, isSettled && !isBackedUp);
  return {
    inputs: withSecrets(inputs, session, password),
    jobs,
    records,
    problem,
    ...overlap(inputs, now),
  };
}

function withSecrets(inputs: Inputs, session: Inputs["session"], password: PasswordStep | undefined): Inputs {
  const { credentials } = password ?? {};
  if (session === inputs.session && credentials === undefined) return inputs;
  return { ...inputs, session, ...(credentials && { generatedAdmin: credentials }) };
}

/** Whether the schema is that of the model, no other change is in progress, and a Job can connect to the database. */
function isDatabaseReady({ inputs: { server }, model }: RotationInput): boolean {
  const { migration, upgrade } = server.status ?? {};
  if (upgrade !== undefined || server.status?.version === undefined) return false;
  return (
    model.migration.mode === undefined || (migration?.phase === "Complete" && migration.job === model.migration.job)
  );
}

/** Whether all pods, those that are terminating included, have started with the stored content of the Secrets. */
function runsCurrentKeys({ inputs: { server }, model, owned }: RotationInput): boolean {
  if (deploymentOf({ owned, server }) === undefined) return false;
  const isCurrent = (live: Deployment) =>
    ownershipOf(live, server) === "owned" &&
    isRolledOut(live) &&
    live.spec.template.metadata?.annotations?.[annotation.inputs] === model.inputsHash &&
    versionIn(live) === model.version;
  return (
    servingDeployments({ owned, server }).every(isCurrent) &&
    runningPods(owned).every((pod) => pod.metadata.annotations?.[annotation.inputs] === model.inputsHash)
  );
}

function runningPods(owned: readonly Owned[]) {
  return servingPods(owned).filter(isUnfinished);
}

/** What must be encrypted again: there is a previous key, or with keys of the user perhaps the next one, with which nothing is encrypted. */
function encryptionsOf(model: ServerModel): DatabaseRotation[] {
  const { accepted, rotations } = model.session.keys;
  const isDue = (name: RotationName) => !model.session.isGenerated || rotations?.[name]?.phase === "Switching";
  return [
    ...(accepted?.kekPassphrase !== undefined && isDue("encryption-key")
      ? [encryptionRotation(model, "encryption-key")]
      : []),
    ...(accepted?.webhookKey !== undefined && isDue("webhook-key") ? [encryptionRotation(model, "webhook-key")] : []),
  ];
}

/** Why a Job does not complete. */
function jobsProblem(
  jobs: readonly Job[],
  { model, owned, warnings, now }: RotationInput,
): RotationProblem | undefined {
  if (jobs.length === 0) return undefined;
  const isOfOnePod = model.database.volume !== undefined && model.volume?.accessModes.includes("ReadWriteOncePod");
  if (isOfOnePod === true && runningPods(owned).length > 0) {
    const message = `The Job of a rotation cannot mount PersistentVolumeClaim/${model.volume?.claimName}, because its access mode is ReadWriteOncePod and the server's pod uses it. The previous key or password stays valid. Set spec.hibernate: true until the rotation is complete`;
    return { reason: "RotationWaiting", message };
  }
  for (const wanted of jobs) {
    const live = owned.find((each): each is Job => isRotationJob(each) && each.metadata.name === wanted.metadata.name);
    const problem =
      live && !isFinished(live, "Complete")
        ? jobProblem(live, podsOf("rotation", owned), { warnings, now })
        : undefined;
    if (problem === undefined || live === undefined) continue;
    const { reason, message } = problem.cause;
    return {
      reason,
      message: `${objectText(live)} of a rotation: ${message.replace(/[.]$/, "")}. The previous key or password stays valid, and the Job tries again`,
    };
  }
  return undefined;
}

/** Why a request has not begun. */
function waitingRequest(
  { inputs }: RotationInput,
  { tokens }: RotationRequests,
  password: PasswordStep | undefined,
  isSettled: boolean,
): RotationProblem | undefined {
  const { session, generatedAdmin } = inputs;
  const begun = { ...session.rotations, ...generatedAdmin?.rotations };
  const waits = [...tokens].filter(([name, token]) => begun[name]?.request !== token).map(([name]) => name);
  if (waits.length === 0 || (isSettled && password?.change === undefined)) return undefined;
  return {
    reason: "RotationWaiting",
    message: `The rotation of ${waits.join(", ")} begins when all pods run the current spec, no other change is in progress and no backup is written`,
  };
}

/** The time at which the previous session key is removed. */
function overlap({ session: { rotations } }: Inputs, now: Date): { againInSeconds?: number } {
  const { phase, switchedAt = "" } = rotations?.session ?? {};
  return phase === "Switching" ? { againInSeconds: Math.max(1, overlapLeft(switchedAt, now)) } : {};
}

/** The first of these Jobs that does not exist yet, those that exist and are not among them, and those that have failed. */
export function rotationJobSteps(
  wanted: readonly Job[],
  owned: readonly Owned[],
  server: MlflowServer,
): { readonly create: readonly Job[]; readonly remove: readonly Job[] } {
  const live = owned.filter(isRotationJob).filter((job) => ownershipOf(job, server) === "owned");
  const isWanted = (job: Job) => wanted.some(({ metadata }) => metadata.name === job.metadata.name);
  return {
    create: wanted.filter(
      ({ metadata }) => !owned.some((each) => isRotationJob(each) && each.metadata.name === metadata.name),
    ),
    remove: live.filter(
      (job) => job.metadata.deletionTimestamp === undefined && (!isWanted(job) || isFinished(job, "Failed")),
    ),
  };
}
