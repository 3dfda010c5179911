/** The widget operator on @dot-i/k8s-operator, used as in its documentation. */
import k8sOperator, { type ResourceEvent, type ResourceMeta } from "@dot-i/k8s-operator";
import { CustomObjectsApi } from "@kubernetes/client-node";
import { counters } from "../counters.ts";
import { apiVersion, group, plural, type Widget, widgetConfigMap, widgetLabel } from "../widget.ts";
import { isWidget, mergePatch, orUndefined } from "./objects.ts";

const [namespace = "default"] = process.argv.slice(2);
const counted = counters();

class WidgetOperator extends k8sOperator.default {
  protected async init(): Promise<void> {
    const [, version = ""] = apiVersion.split("/");
    const counting = async () => counted.event();
    await this.watchResource(group, version, plural, (event) => this.onWidget(event), namespace);
    await this.watchResource("", "v1", "configmaps", (event) => this.onConfigMap(event), namespace);
    await this.watchResource("", "v1", "secrets", counting, namespace);
    await this.watchResource("apps", "v1", "deployments", counting, namespace);
  }

  private async onWidget({ type, object, meta }: ResourceEvent): Promise<void> {
    counted.event();
    if (type !== "DELETED" && isWidget(object)) await this.reconcile(object, meta);
  }

  /** There is no cache: the widget of a ConfigMap is read from the API server. */
  private async onConfigMap({ object }: ResourceEvent): Promise<void> {
    counted.event();
    const name = object.metadata?.labels?.[widgetLabel];
    if (name === undefined) return;
    const api = this.kubeConfig.makeApiClient(CustomObjectsApi);
    const widget = await orUndefined(api.getNamespacedCustomObject(group, "v1", namespace, plural, name));
    if (isWidget(widget)) await this.reconcile(widget, k8sOperator.ResourceMetaImpl.createWithPlural(plural, widget));
  }

  private async reconcile(widget: Widget, meta: ResourceMeta): Promise<void> {
    counted.reconciliation();
    const { name } = widget.metadata;
    const { value } = widget.spec;
    const configMap = await orUndefined(this.k8sApi.readNamespacedConfigMap(name, namespace));
    if (configMap === undefined) await this.k8sApi.createNamespacedConfigMap(namespace, widgetConfigMap(widget));
    else if (configMap.data?.["value"] !== value)
      await this.k8sApi.patchNamespacedConfigMap(name, namespace, { data: { value } }, ...mergePatch);
    if (widget.status?.value !== value) await this.patchResourceStatus(meta, { value });
  }
}

const log = { debug: () => {}, info: () => {}, warn: console.error, error: console.error };
await new WidgetOperator(log).start();
