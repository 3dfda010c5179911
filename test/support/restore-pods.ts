import type { Pod } from "../../src/kube/manifests.ts";
import { label } from "../../src/kube/names.ts";
import { healthy, type PodOutcome } from "./kubelet.ts";

const verified = JSON.stringify({ size: 2048, mlflowVersion: "3.17.2", schemaRevision: "abc" });
const report = JSON.stringify({ experiments: 3, runs: 5, users: 2, registeredModels: 1, credentials: 0 });

/** The pod of a restore that ends with its report. */
export const restoreSucceeds: PodOutcome = { does: "succeeds", message: report };

/** Pods of a restore behave like this, those of backups succeed, and all others are healthy. */
export const restorePods = (outcome: PodOutcome) => (pod: Pod) => {
  const component = pod.metadata.labels?.[label.component];
  if (component === "restore") return outcome;
  return component === "backup" ? ({ does: "succeeds", message: verified } as const) : healthy(pod);
};
