import { encoded } from "../kube/base64.ts";
import type { Secret } from "../kube/manifests.ts";
import type { ObjectMeta } from "../kube/object.ts";

/** Returns a Secret with these values. */
export function secret(metadata: ObjectMeta, values: Readonly<Record<string, string>>, type = "Opaque"): Secret {
  return { apiVersion: "v1", kind: "Secret", metadata, type, data: encoded(values) };
}
