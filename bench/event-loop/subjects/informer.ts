/**
 * The widget operator on the informers and the client of @kubernetes/client-node, with this project's queue. With the
 * argument `restarting` an informer that reports an error is started again after 5 s, as the package's example does.
 */
import {
  AppsV1Api,
  CoreV1Api,
  CustomObjectsApi,
  KubeConfig,
  type KubernetesListObject,
  type KubernetesObject,
  makeInformer,
  PatchStrategy,
  setHeaderOptions,
  type V1ConfigMap,
} from "@kubernetes/client-node";
import { WorkQueue } from "../../../src/kube/client/work-queue.ts";
import { keyOf, keyText } from "../../../src/kube/object.ts";
import { counters } from "../counters.ts";
import { configMapPath, group, plural, type Widget, widgetConfigMap, widgetLabel, widgetPath } from "../widget.ts";

const [namespace = "default", mode] = process.argv.slice(2);
const counted = counters();
const config = new KubeConfig();
config.loadFromFile(process.env["KUBECONFIG"] ?? "");
const core = config.makeApiClient(CoreV1Api);
const apps = config.makeApiClient(AppsV1Api);
const custom = config.makeApiClient(CustomObjectsApi);
const mergePatch = setHeaderOptions("Content-Type", PatchStrategy.MergePatch);

function informer<T extends KubernetesObject>(
  path: string,
  list: () => Promise<KubernetesListObject<T>>,
  labelSelector?: string,
) {
  const made = makeInformer<T>(config, path, list, labelSelector);
  made.on("change", (object) => {
    counted.event();
    work.add(keyText({ namespace, name: object.metadata?.name ?? "" }));
  });
  made.on("error", (error) => {
    console.error(path, error);
    if (mode === "restarting") setTimeout(() => void made.start(), 5000);
  });
  void made.start();
  return made;
}

const work = new WorkQueue({
  workers: 8,
  onFailure: (key, error) => console.error(key, error),
  work: async (text) => {
    counted.reconciliation();
    const { name } = keyOf(text);
    const widget = widgets.get(name, namespace);
    if (widget === undefined) return undefined;
    const { value } = widget.spec;
    const configMap = configMaps.get(name, namespace);
    const { ...body } = widgetConfigMap(widget);
    if (configMap === undefined) await core.createNamespacedConfigMap({ namespace, body });
    else if (configMap.data?.["value"] !== value)
      await core.patchNamespacedConfigMap({ name, namespace, body: { data: { value } } }, mergePatch);
    if (widget.status?.value !== value) {
      const place = { group, version: "v1", namespace, plural, name };
      await custom.patchNamespacedCustomObjectStatus({ ...place, body: { status: { value } } }, mergePatch);
    }
    return undefined;
  },
});

const widgets = informer<Widget>(widgetPath(namespace), () =>
  custom.listNamespacedCustomObject({ group, version: "v1", namespace, plural }),
);
const configMaps = informer<V1ConfigMap>(
  configMapPath(namespace),
  () => core.listNamespacedConfigMap({ namespace, labelSelector: widgetLabel }),
  widgetLabel,
);
informer(`/api/v1/namespaces/${namespace}/secrets`, () => core.listNamespacedSecret({ namespace }));
informer(`/apis/apps/v1/namespaces/${namespace}/deployments`, () => apps.listNamespacedDeployment({ namespace }));
