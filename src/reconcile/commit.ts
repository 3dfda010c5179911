import type { MlflowServer } from "../api/server.ts";
import type { Manifest } from "../kube/manifests.ts";
import { objectText } from "../kube/object.ts";
import type { Cluster } from "./cluster.ts";
import { asItRuns } from "./job.ts";
import { isStored, type Obstacle, obstacleIn } from "./ownership.ts";
import { markPartial } from "./partial-failure.ts";
import type { Plan, Step } from "./plan.ts";

/**
 * Carries out a plan: the only writes of a pass. Returns the obstacle where a name turns out to be taken, which only
 * the API server knows of objects without our label; what comes after that group is then left alone.
 */
export async function commit(
  cluster: Cluster,
  server: MlflowServer,
  plan: Pick<Plan, "groups">,
): Promise<Obstacle | undefined> {
  let wrote = 0;
  const all = async (steps: readonly Step[]) => {
    const results = await Promise.allSettled(steps.map((step) => write(cluster, server, step)));
    wrote += results.filter(({ status }) => status === "fulfilled").length;
    const failed = results.find((result) => result.status === "rejected");
    if (failed !== undefined) throw wrote > 0 ? markPartial(failed.reason) : failed.reason;
    return results.flatMap((result) => (result.status === "fulfilled" ? (result.value ?? []) : []))[0];
  };
  for (const group of plan.groups) {
    const taken = await all(group.filter(isAccount));
    const rest = group.filter((step) => !isAccount(step) && !(taken !== undefined && runsPods(step)));
    const obstacle = (await all(rest)) ?? taken;
    if (obstacle !== undefined) return obstacle;
  }
  return undefined;
}

function isAccount(step: Step): boolean {
  return step.do === "create" && step.manifest.kind === "ServiceAccount";
}

/** Not as a ServiceAccount that turns out to be somebody else's: pods would have its rights. */
function runsPods(step: Step): boolean {
  return step.do === "create" && (step.manifest.kind === "Job" || step.manifest.kind === "Deployment");
}

async function write(cluster: Cluster, server: MlflowServer, step: Step): Promise<Obstacle | undefined> {
  switch (step.do) {
    case "hold":
      await cluster.hold(server);
      return undefined;
    case "let go":
      await cluster.letGo(server);
      return undefined;
    case "record":
      await cluster.record(server, step.record);
      return undefined;
    case "delete":
      await cluster.delete(step.live);
      return undefined;
    case "apply":
      await cluster.apply(step.manifest, step.live);
      return undefined;
    case "create":
      return (await cluster.create(step.manifest)) === "created" ? undefined : takeUp(cluster, server, step.manifest);
  }
}

/**
 * The name is taken, though the cache did not show it: by an object of ours that lost its label (repaired), by one of
 * ours that the watch has not delivered yet, or by somebody else's. What was generated keeps its content: this pass made
 * up another, so it stops here, and the next one goes on with what is stored.
 */
async function takeUp(cluster: Cluster, server: MlflowServer, manifest: Manifest): Promise<Obstacle | undefined> {
  const live = await cluster.read(manifest);
  if (live === undefined) return undefined;
  const obstacle = obstacleIn(live, server);
  if (obstacle !== undefined) return obstacle;
  if (manifest.kind === "Secret" && live.kind === "Secret" && isStored(live, server)) {
    await cluster.apply({ ...manifest, data: live.data ?? {} }, live);
    return { passing: true, reason: "Progressing", message: `taking up the existing ${objectText(live)}` };
  }
  const isJob = manifest.kind === "Job" && live.kind === "Job";
  await cluster.apply(isJob ? asItRuns(manifest, live) : manifest, live);
  return undefined;
}
