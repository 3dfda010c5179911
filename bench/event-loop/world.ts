import { setTimeout as sleep } from "node:timers/promises";
import type { ClusterAccess } from "../../test/control-plane/cluster-access.ts";
import { asked, mergePatch } from "../asked.ts";
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

/** The widgets of one namespace, changed and looked at by somebody who is no contestant. */
export interface World {
  readonly names: readonly string[];
  /** Gives each of these widgets this value, so many at once. */
  readonly change: (names: readonly string[], value: string) => Promise<void>;
  readonly removeConfigMaps: (names: readonly string[]) => Promise<void>;
  /** How many widgets lack their ConfigMap, their status, or the value in one of them. */
  readonly wrong: () => Promise<number>;
  /** Waits until nothing is wrong: after how many seconds, or what was still wrong when patience ended. */
  readonly settled: (patienceSeconds: number) => Promise<{ seconds: number; wrong: number }>;
}

const concurrency = 16;

export async function installWidgets(cluster: ClusterAccess): Promise<void> {
  await asked(cluster, "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", widgetDefinition);
  for (;;) {
    if ((await cluster.request("GET", widgetPath("default"))).status === 200) return;
    await sleep(100);
  }
}

/** A namespace with so many widgets. */
export async function world(cluster: ClusterAccess, namespace: string, size: number): Promise<World> {
  const names = Array.from({ length: size }, (_, index) => `widget-${index}`);
  await asked(cluster, "POST", "/api/v1/namespaces", { metadata: { name: namespace } });
  await inFlight(concurrency, names, (name) =>
    asked(cluster, "POST", widgetPath(namespace), {
      apiVersion,
      kind: "Widget",
      metadata: { name },
      spec: { value: "0" },
    }),
  );

  async function wrong(): Promise<number> {
    const widgets = await asked<{ items: Widget[] }>(cluster, "GET", widgetPath(namespace));
    const query = `?labelSelector=${encodeURIComponent(widgetLabel)}`;
    const configMaps = await asked<{ items: WidgetConfigMap[] }>(cluster, "GET", `${configMapPath(namespace)}${query}`);
    const values = new Map(configMaps.items.map(({ metadata, data }) => [metadata.name, data?.["value"]]));
    return widgets.items.filter(
      ({ metadata, spec, status }) => status?.value !== spec.value || values.get(metadata.name) !== spec.value,
    ).length;
  }

  return {
    names,
    change: (chosen, value) =>
      inFlight(concurrency, chosen, (name) =>
        asked(cluster, "PATCH", widgetPath(namespace, name), { spec: { value } }, mergePatch),
      ),
    removeConfigMaps: (chosen) =>
      inFlight(concurrency, chosen, (name) => asked(cluster, "DELETE", configMapPath(namespace, name))),
    wrong,
    settled: async (patienceSeconds) => {
      const began = performance.now();
      for (;;) {
        const left = await wrong();
        const seconds = (performance.now() - began) / 1000;
        if (left === 0 || seconds > patienceSeconds) return { seconds, wrong: left };
        await sleep(250);
      }
    },
  };
}
