import type { Secret } from "../kube/manifests.ts";
import type { ObjectMeta } from "../kube/object.ts";
import { encoded } from "./base64.ts";

/** Returns a Secret with these values. */
export function secret(metadata: ObjectMeta, values: Readonly<Record<string, string>>, type = "Opaque"): Secret {
  return { apiVersion: "v1", kind: "Secret", metadata, type, data: encoded(values) };
}
