import type { AuthorizationRule } from "../../src/kube/manifests.ts";

/** Forms of the path that Envoy itself treats as the traces path. */
export const plain = ["/v1/traces", "/v1/traces/", "/v1/traces/x", "/v1/traces//", "/v1/traces?x=1", "/./v1/traces"]
  .concat(["/x/../v1/traces", "/api/%2e%2e/v1/traces", "/v1/%2e/traces", "/v1/trace%73", "/%76%31/traces"])
  .concat(["/v1\\traces"]);

/** Forms that Envoy treats as another path, and its upstream might not. */
export const disguised = [
  "//v1/traces",
  "/v1//traces",
  "/v1%2ftraces",
  "/v1%2Ftraces",
  "/v1/traces%2f",
  "/v1/traces%2Fx",
]
  .concat(["/v1/traces%20", "/v1/traces%3f", "/v1/traces%5c", "/v1%5ctraces", "/v1/traces;x=1", "/v1;x/traces"])
  .concat(["/v1/traces%23", "/v1/traces%23x", "/%2fv1/traces", "/%2Fv1%2Ftraces", "/v1/TRACES", "/v1/tracesX"])
  .concat(["/v1/traces.json", "/v1/metrics"]);

/** The policy of the guides. */
export function commonRules(writer: string): AuthorizationRule[] {
  const paths = ["/v1/traces", "/v1/traces/*"];
  return [
    { from: [{ source: { principals: [writer] } }], to: [{ operation: { methods: ["POST"], paths } }] },
    { to: [{ operation: { notPaths: paths } }] },
  ];
}
