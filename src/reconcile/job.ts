import type { Job } from "../kube/manifests.ts";

/** The wanted Job with the pods and the proof of its inputs that the live one has: those of a Job are never changed. */
export function asItRuns(wanted: Job, live: Job): Job {
  const { backoffLimit, completions, parallelism } = wanted.spec;
  return {
    ...wanted,
    metadata: { ...wanted.metadata, annotations: live.metadata.annotations ?? {} },
    spec: { ...live.spec, backoffLimit, completions, parallelism },
  };
}
