import { setTimeout as sleep } from "node:timers/promises";
import { resourcePath } from "../../src/kube/kinds.ts";
import { adminRequest } from "../admin-request.ts";
import { atMost, type Figure } from "../figure.ts";
import { inFlight } from "../in-flight.ts";
import type { Measuring } from "./measuring.ts";

const count = 100;
const bytes = 900_000;

/** Measures the memory for large ConfigMaps that the operator does not manage. */
export async function unmanagedConfigMaps({ cluster, operator }: Measuring): Promise<Figure> {
  const namespace = "unmanaged";
  await adminRequest(cluster, "POST", "/api/v1/namespaces", { metadata: { name: namespace } });
  const before = await operator.restingRss();
  const data = { blob: "x".repeat(bytes) };
  await inFlight(2, Array(count).keys(), (n) =>
    adminRequest(cluster, "POST", resourcePath("ConfigMap", namespace), { metadata: { name: `unmanaged-${n}` }, data }),
  );
  await sleep(3000);
  const after = await operator.restingRss();
  await adminRequest(cluster, "DELETE", resourcePath("ConfigMap", namespace));
  const megabytes = { before: before / 1e6, after: after / 1e6 };
  const name = `RSS more with ${count} unmanaged ConfigMaps of 900 KB`;
  return atMost(name, megabytes.after - megabytes.before, 5, { unit: "MB", digits: 1, detail: megabytes });
}
