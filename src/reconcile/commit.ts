import type { MlflowServer } from "../api/server.ts";
import type { Manifest, Owned } from "../kube/manifests.ts";
import { objectText } from "../kube/object.ts";
import type { Cluster } from "./cluster.ts";
import { markPartial } from "./failure-cause.ts";
import { withLiveSpec } from "./migration.ts";
import { type Adoption, concurrently, writeObject } from "./object-steps.ts";
import { isStored, type NamingConflict, namingConflictOf } from "./ownership.ts";
import type { Plan } from "./plan.ts";
import type { Step } from "./step.ts";

/**
 * Executes a plan: the only writes of a reconciliation. Returns a name conflict with an object that is not in the cache because it
 * does not have the operator's label; later groups are not executed then.
 */
export async function commit(
  cluster: Cluster,
  server: MlflowServer,
  plan: Pick<Plan, "groups">,
): Promise<NamingConflict | undefined> {
  let wrote = 0;
  const all = async (steps: readonly Step[]) => {
    const { conflicts, succeeded, errors } = await concurrently(steps, (step) => write(cluster, server, step));
    wrote += succeeded;
    if (errors.length > 0) throw wrote > 0 ? markPartial(errors[0]) : errors[0];
    return conflicts[0];
  };
  for (const group of plan.groups) {
    const taken = await all(group.filter(createsServiceAccount));
    const rest = group.filter((step) => !createsServiceAccount(step) && !(taken !== undefined && createsPods(step)));
    const namingConflict = (await all(rest)) ?? taken;
    if (namingConflict !== undefined) return namingConflict;
  }
  return undefined;
}

function createsServiceAccount(step: Step): boolean {
  return step.do === "create" && step.manifest.kind === "ServiceAccount";
}

/** Whether a step creates pods: not after a name conflict of the ServiceAccount, whose permissions they would have. */
function createsPods(step: Step): boolean {
  return step.do === "create" && (step.manifest.kind === "Job" || step.manifest.kind === "Deployment");
}

async function write(cluster: Cluster, server: MlflowServer, step: Step): Promise<NamingConflict | undefined> {
  switch (step.do) {
    case "add finalizer":
      await cluster.addFinalizer(server);
      return undefined;
    case "remove finalizer":
      await cluster.removeFinalizer(server);
      return undefined;
    case "start upgrade":
      // Decided again, since reconciliations of other servers may have started theirs. Its time is that of its start.
      if (step.isAllowed()) await cluster.startUpgrade(step.live, step.marker);
      return undefined;
    case "create backup":
      await cluster.createBackup(step.backup);
      return undefined;
    case "record":
      await cluster.record(server, step.record, step.conditions);
      return undefined;
    default:
      return writeObject(cluster, step, (live, manifest) => adoption(live, manifest, server));
  }
}

/**
 * An owned object that lost its label, or that the watch has not delivered yet, is repaired; an unmanaged one is a conflict. A
 * generated Secret keeps its data: this reconciliation has generated other data, so it stops here, and the next one uses the stored
 * data.
 */
function adoption(live: Owned, manifest: Manifest, server: MlflowServer): Adoption<NamingConflict> {
  const conflict = namingConflictOf(live, server);
  if (conflict !== undefined) return { conflict };
  if (manifest.kind === "Secret" && live.kind === "Secret" && isStored(live, server)) {
    const message = `Reusing the existing ${objectText(live)}`;
    return {
      step: { do: "apply", manifest: { ...manifest, data: live.data ?? {} }, live },
      conflict: { isTerminating: true, reason: "Progressing", message },
    };
  }
  const isJob = manifest.kind === "Job" && live.kind === "Job";
  return { step: { do: "apply", manifest: isJob ? withLiveSpec(manifest, live) : manifest, live } };
}
