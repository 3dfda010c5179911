import type { Secret } from "../kube/manifests.ts";
import type { ObjectMeta } from "../kube/object.ts";
import { encoded } from "./base64.ts";

/** A Secret with these texts. */
export function secret(metadata: ObjectMeta, values: Readonly<Record<string, string>>, type = "Opaque"): Secret {
  return { apiVersion: "v1", kind: "Secret", metadata, type, data: encoded(values) };
}
