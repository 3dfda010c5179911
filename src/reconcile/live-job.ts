import type { Job } from "../kube/manifests.ts";

/** The wanted Job with the pod template and annotations of the live one, which are never changed. */
export function withLiveSpec(wanted: Job, live: Job): Job {
  const { backoffLimit, completions, parallelism } = wanted.spec;
  return {
    ...wanted,
    metadata: { ...wanted.metadata, annotations: live.metadata.annotations ?? {} },
    spec: { ...live.spec, backoffLimit, completions, parallelism },
  };
}
