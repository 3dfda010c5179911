import { setTimeout as sleep } from "node:timers/promises";
import type { ClusterAccess } from "../../test/control-plane/cluster-access.ts";
import { adminRequest, mergePatch } from "../admin-request.ts";
import { inFlight } from "../in-flight.ts";
import {
  apiVersion,
  configMapPath,
  type Widget,
  type WidgetConfigMap,
  widgetDefinition,
  widgetLabel,
  widgetPath,
} from "./widget.ts";

/** The widgets of one namespace, changed and checked by the administrator. */
export interface WidgetNamespace {
  readonly names: readonly string[];
  /** Sets the value of these widgets concurrently. */
  readonly change: (names: readonly string[], value: string) => Promise<void>;
  readonly removeConfigMaps: (names: readonly string[]) => Promise<void>;
  /** Number of widgets without the correct ConfigMap and status. */
  readonly wrong: () => Promise<number>;
  /** Waits until all widgets are reconciled. Returns the seconds, and the number of widgets that were not after the timeout. */
  readonly settled: (timeoutSeconds: number) => Promise<{ seconds: number; wrong: number }>;
}

const concurrency = 16;

export async function installWidgets(cluster: ClusterAccess): Promise<void> {
  await adminRequest(cluster, "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", widgetDefinition);
  for (;;) {
    if ((await cluster.request("GET", widgetPath("default"))).status === 200) return;
    await sleep(100);
  }
}

/** Creates a namespace with `size` widgets. */
export async function widgetNamespace(
  cluster: ClusterAccess,
  namespace: string,
  size: number,
): Promise<WidgetNamespace> {
  const names = Array.from({ length: size }, (_, index) => `widget-${index}`);
  await adminRequest(cluster, "POST", "/api/v1/namespaces", { metadata: { name: namespace } });
  await inFlight(concurrency, names, (name) =>
    adminRequest(cluster, "POST", widgetPath(namespace), {
      apiVersion,
      kind: "Widget",
      metadata: { name },
      spec: { value: "0" },
    }),
  );

  async function wrong(): Promise<number> {
    const widgets = await adminRequest<{ items: Widget[] }>(cluster, "GET", widgetPath(namespace));
    const query = `?labelSelector=${encodeURIComponent(widgetLabel)}`;
    const configMaps = await adminRequest<{ items: WidgetConfigMap[] }>(
      cluster,
      "GET",
      `${configMapPath(namespace)}${query}`,
    );
    const values = new Map(configMaps.items.map(({ metadata, data }) => [metadata.name, data?.["value"]]));
    return widgets.items.filter(
      ({ metadata, spec, status }) => status?.value !== spec.value || values.get(metadata.name) !== spec.value,
    ).length;
  }

  return {
    names,
    change: (chosen, value) =>
      inFlight(concurrency, chosen, (name) =>
        adminRequest(cluster, "PATCH", widgetPath(namespace, name), { spec: { value } }, mergePatch),
      ),
    removeConfigMaps: (chosen) =>
      inFlight(concurrency, chosen, (name) => adminRequest(cluster, "DELETE", configMapPath(namespace, name))),
    wrong,
    settled: async (timeoutSeconds) => {
      const began = performance.now();
      for (;;) {
        const left = await wrong();
        const seconds = (performance.now() - began) / 1000;
        if (left === 0 || seconds > timeoutSeconds) return { seconds, wrong: left };
        await sleep(250);
      }
    },
  };
}
