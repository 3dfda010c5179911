/** The widget operator on this project's own client, list-watch, store and queue. */
import { apiClient } from "../../../src/kube/client/api-client.ts";
import { ListWatch } from "../../../src/kube/client/list-watch.ts";
import { Store } from "../../../src/kube/client/store.ts";
import { WorkQueue } from "../../../src/kube/client/work-queue.ts";
import { type KubeObject, keyOf, keyText } from "../../../src/kube/object.ts";
import { ownCredentials } from "../../own-credentials.ts";
import { counters } from "../counters.ts";
import {
  apiVersion,
  configMapPath,
  type Widget,
  type WidgetConfigMap,
  widgetConfigMap,
  widgetLabel,
  widgetPath,
} from "../widget.ts";

const [namespace = "default"] = process.argv.slice(2);
const counted = counters();
const client = apiClient({
  credentials: ownCredentials(),
  userAgent: "bench-own",
});

function enqueuing<T extends KubeObject>(): Store<T> {
  return new Store<T>((_change, object) => {
    counted.event();
    work.add(keyText({ namespace, name: object.metadata.name }));
  });
}
const counting = () => new Store<KubeObject>(counted.event);
const widgets = enqueuing<Widget>();
const configMaps = enqueuing<WidgetConfigMap>();

const work = new WorkQueue({
  workers: 8,
  onFailure: (key, error) => console.error(key, error),
  work: async (text) => {
    counted.reconciliation();
    const key = keyOf(text);
    const widget = widgets.get(key);
    if (widget === undefined) return undefined;
    const configMap = configMaps.get(key);
    const { value } = widget.spec;
    if (configMap === undefined) {
      const body = widgetConfigMap(widget);
      configMaps.wrote(await client.request({ method: "POST", path: configMapPath(namespace), body }), true);
    } else if (configMap.data?.["value"] !== value)
      await merge(configMaps, configMapPath(namespace, key.name), { data: { value } });
    if (widget.status?.value !== value)
      await merge(widgets, `${widgetPath(namespace, key.name)}/status`, { status: { value } });
    return undefined;
  },
});

async function merge<T extends KubeObject>(into: Store<T>, path: string, body: object): Promise<void> {
  into.wrote(
    await client.request<T>({ method: "PATCH", path, contentType: "application/merge-patch+json", body }),
    false,
  );
}

new ListWatch(client, { name: "widgets", path: widgetPath(namespace), apiVersion, kind: "Widget" }, widgets);
const ofKind = (version: string, kind: string, path: string) => ({ name: path, path, apiVersion: version, kind });
const selected = { ...ofKind("v1", "ConfigMap", configMapPath(namespace)), labelSelector: widgetLabel };
new ListWatch(client, selected, configMaps);
new ListWatch(client, ofKind("v1", "Secret", `/api/v1/namespaces/${namespace}/secrets`), counting());
new ListWatch(client, ofKind("apps/v1", "Deployment", `/apis/apps/v1/namespaces/${namespace}/deployments`), counting());
