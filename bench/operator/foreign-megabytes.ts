import { setTimeout as sleep } from "node:timers/promises";
import { resourcePath } from "../../src/kube/kinds.ts";
import { asked } from "../asked.ts";
import { atMost, type Figure } from "../figure.ts";
import { inFlight } from "../in-flight.ts";
import type { Measuring } from "./measuring.ts";

const count = 100;
const bytes = 900_000;

/** Large ConfigMaps that are no server's. */
export async function foreignMegabytes({ cluster, operator }: Measuring): Promise<Figure> {
  const namespace = "foreign";
  await asked(cluster, "POST", "/api/v1/namespaces", { metadata: { name: namespace } });
  const before = await operator.restingRss();
  const data = { blob: "x".repeat(bytes) };
  await inFlight(2, Array(count).keys(), (n) =>
    asked(cluster, "POST", resourcePath("ConfigMap", namespace), { metadata: { name: `foreign-${n}` }, data }),
  );
  await sleep(3000);
  const after = await operator.restingRss();
  await asked(cluster, "DELETE", resourcePath("ConfigMap", namespace));
  const megabytes = { before: before / 1e6, after: after / 1e6 };
  const name = `RSS more with ${count} foreign ConfigMaps of 900 KB`;
  return atMost(name, megabytes.after - megabytes.before, 5, { unit: "MB", digits: 1, detail: megabytes });
}
