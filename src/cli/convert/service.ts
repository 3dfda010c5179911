import { reservedKeys } from "../../api/fields/pod-metadata.ts";
import { unsafeServiceAnnotations } from "../../api/fields/service.ts";
import { type ConversionContext, changed, mapped, type Row } from "./chart.ts";
import { rejectionOf } from "./common.ts";
import { isValues, pathText, type Value } from "./values.ts";

/** The note of a port of the Service. */
export const servicePort = "of a load balancer; clients in the cluster use port 5000";

/** Rows of the Service, whose values are below `at`. */
export const serviceRows = (at = "service"): Row[] => [
  changed(
    `${at}.type`,
    "service.type",
    "NodePort and LoadBalancer are a second Service; the one with the name of the server stays a ClusterIP with port 5000",
  ),
  mapped(`${at}.annotations.*`, "service.annotations"),
];

/**
 * `service`, after authentication and exposure: the external URL is that of the Ingress if there is one. `port` is the port of a load
 * balancer, and `nodePort` that of nodes.
 */
export function setService(
  context: ConversionContext,
  {
    at = "service",
    port,
    nodePort,
  }: Partial<Record<"port" | "nodePort", number | undefined>> & { readonly at?: string },
): void {
  const { values, draft } = context;
  const annotations = acceptedAnnotations(context, `${at}.annotations`);
  if (Object.keys(annotations).length > 0) draft.set("service.annotations", annotations);
  const type = values.text(`${at}.type`);
  if (type !== "NodePort" && type !== "LoadBalancer") return;
  draft.set("service.type", type);
  draft.set("service.port", type === "NodePort" ? nodePort : port);
  setExternalUrl(context, `${at}.type`);
}

function acceptedAnnotations({ values, report }: ConversionContext, key: string): Record<string, Value> {
  const accepted: Record<string, Value> = {};
  for (const [name, value] of Object.entries(values.map(key) ?? {})) {
    const why = rejectionOf([reservedKeys, unsafeServiceAnnotations], name, String(value));
    if (why === undefined) accepted[name] = String(value);
    else report(pathText([...key.split("."), name]), "unmapped", why);
  }
  return accepted;
}

function setExternalUrl({ draft, report }: ConversionContext, key: string): void {
  const { exposure } = draft.spec;
  const { externalURL, ingress } = isValues(exposure) ? exposure : {};
  if (externalURL !== undefined) return;
  const { hosts, tls } = isValues(ingress) ? ingress : {};
  const first: unknown = Array.isArray(hosts) ? hosts[0] : undefined;
  if (isValues(first) && typeof first["host"] === "string")
    draft.set("exposure.externalURL", `${tls === undefined ? "http" : "https"}://${first["host"]}`);
  else
    report(
      key,
      "changed",
      "write exposure.externalURL with the URL for clients outside the cluster, such as https://mlflow.example.com",
    );
}
