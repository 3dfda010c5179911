/**
 * The widget operator on @dot-i/k8s-operator, hardened without changing the library: its watch, which exits the
 * process, and its queue, which does not retry, are replaced; its client, credentials and status
 * updates are kept.
 */
import k8sOperator from "@dot-i/k8s-operator";
import {
  AppsV1Api,
  CustomObjectsApi,
  type KubernetesListObject,
  type KubernetesObject,
  type V1ConfigMap,
} from "@kubernetes/client-node";
import { WorkQueue } from "../../../src/kube/client/work-queue.ts";
import { keyOf, keyText } from "../../../src/kube/object.ts";
import { counters } from "../counters.ts";
import {
  apiVersion,
  configMapPath,
  group,
  plural,
  type Widget,
  widgetConfigMap,
  widgetLabel,
  widgetPath,
} from "../widget.ts";
import { mergePatch } from "./objects.ts";
import { persistentWatch } from "./persistent-watch.ts";

const [namespace = "default"] = process.argv.slice(2);
const counted = counters();

class WidgetOperator extends k8sOperator.default {
  private readonly widgets = new Map<string, Widget>();
  private readonly configMaps = new Map<string, V1ConfigMap>();
  private readonly work = new WorkQueue({
    workers: 8,
    onFailure: (key, error) => console.error(key, String(error)),
    work: (key) => this.reconcile(keyOf(key).name),
  });

  protected async init(): Promise<void> {
    const keeping =
      <T extends KubernetesObject>(items: Map<string, T>) =>
      (type: string, object: T) => {
        const name = object.metadata?.name ?? "";
        counted.event();
        if (type === "DELETED") items.delete(name);
        else items.set(name, object);
        this.work.add(keyText({ namespace, name }));
      };

    const custom = this.kubeConfig.makeApiClient(CustomObjectsApi);
    const apps = this.kubeConfig.makeApiClient(AppsV1Api);
    const core = this.k8sApi;
    // patchResourceStatus needs this entry, which only watchResource sets.
    this["resourcePathBuilders"][`${plural}.${apiVersion}`] = () =>
      this.getCustomResourceApiUri(group, "v1", plural, namespace);
    void persistentWatch<Widget>(this.kubeConfig, {
      path: widgetPath(namespace),
      list: async () => {
        const { body } = await custom.listNamespacedCustomObject(group, "v1", namespace, plural);
        if (!isWidgetList(body)) throw new Error("The response is not a list of widgets.");
        return { body };
      },
      onEvent: keeping(this.widgets),
    });
    void persistentWatch(this.kubeConfig, {
      path: configMapPath(namespace),
      labelSelector: widgetLabel,
      list: () => core.listNamespacedConfigMap(namespace, undefined, undefined, undefined, undefined, widgetLabel),
      onEvent: keeping(this.configMaps),
    });
    void persistentWatch(this.kubeConfig, {
      path: `/api/v1/namespaces/${namespace}/secrets`,
      list: () => core.listNamespacedSecret(namespace),
      onEvent: counted.event,
    });
    void persistentWatch(this.kubeConfig, {
      path: `/apis/apps/v1/namespaces/${namespace}/deployments`,
      list: () => apps.listNamespacedDeployment(namespace),
      onEvent: counted.event,
    });
  }

  private async reconcile(name: string): Promise<undefined> {
    counted.reconciliation();
    const widget = this.widgets.get(name);
    if (widget === undefined) return;
    const { value } = widget.spec;
    const configMap = this.configMaps.get(name);
    if (configMap === undefined) await this.k8sApi.createNamespacedConfigMap(namespace, widgetConfigMap(widget));
    else if (configMap.data?.["value"] !== value)
      await this.k8sApi.patchNamespacedConfigMap(name, namespace, { data: { value } }, ...mergePatch);
    if (widget.status?.value === value) return;
    const meta = k8sOperator.ResourceMetaImpl.createWithPlural(plural, { ...widget, apiVersion });
    if ((await this.patchResourceStatus(meta, { value })) === null) throw new Error("The status was not written.");
  }
}

function isWidgetList(body: object): body is KubernetesListObject<Widget> {
  return "items" in body && Array.isArray(body.items);
}

const log = { debug: () => {}, info: () => {}, warn: console.error, error: console.error };
await new WidgetOperator(log).start();
