import { byLoadBalancer, type Json, meshed, smallest } from "./documents.ts";
import { type Wrong, wrong } from "./wrong-document.ts";

const by = wrong(byLoadBalancer);
const small = wrong(smallest);
const type = "spec.service.type";

const outsideOnly: Readonly<Record<string, Json>> = { port: 443, externalTrafficPolicy: "Local" };
const ofLoadBalancer: Readonly<Record<string, Json>> = {
  loadBalancerClass: "service.k8s.aws/nlb",
  loadBalancerSourceRanges: ["10.0.0.0/8"],
};

/** Settings of the Service that conflict with each other or with other fields. */
export const wrongServices: readonly Wrong[] = [
  by("a load balancer without the URL of clients", { "spec.exposure": undefined }, "spec.exposure", "http://mlflow"),
  by("a load balancer without authentication", { "spec.authentication": { none: {} } }, type, "other than none"),
  by(
    "a node port without authentication",
    { "spec.authentication": { none: {} }, "spec.service": { type: "NodePort" } },
    type,
    "other than none",
  ),
  wrong(meshed)(
    "a load balancer in a mesh",
    { "spec.service": { type: "LoadBalancer" }, "spec.exposure": { externalURL: "https://mlflow.example.com" } },
    type,
    "no mesh",
  ),
  by(
    "a load balancer that no client can use",
    { "spec.networkPolicy": { from: [] } },
    "spec.networkPolicy.from",
    "list them there",
  ),
  ...Object.entries({ ...outsideOnly, ...ofLoadBalancer }).map(([field, value]) =>
    small(`${field} of a ClusterIP`, { "spec.service": { [field]: value } }, type, "write type: LoadBalancer"),
  ),
  ...Object.entries(ofLoadBalancer).map(([field, value]) =>
    by(`${field} of a NodePort`, { "spec.service": { type: "NodePort", [field]: value } }, type, "no effect"),
  ),
  ...["10.0.0.1", "any", "10.0.0.0/33"].map((cidr) =>
    by(
      `the source range ${cidr}`,
      { "spec.service.loadBalancerSourceRanges": [cidr] },
      "spec.service.loadBalancerSourceRanges[0]",
      "must be a CIDR",
    ),
  ),
  by("no source range", { "spec.service.loadBalancerSourceRanges": [] }, "spec.service.loadBalancerSourceRanges", "1"),
  ...["getambassador.io/config", "getambassador.io/resource"].map((key) =>
    by(`the annotation ${key}`, { "spec.service.annotations": { [key]: "x" } }, "spec.service.annotations", "gateway"),
  ),
  ...["istio.io/use-waypoint", "mlflow-operator.dev/x", "kubectl.kubernetes.io/last-applied-configuration"].map((key) =>
    by(`the annotation ${key}`, { "spec.service.annotations": { [key]: "x" } }, "spec.service.annotations", "reserved"),
  ),
  small("a type with another name", { "spec.service": { type: "ExternalName" } }, type, "ClusterIP"),
];
