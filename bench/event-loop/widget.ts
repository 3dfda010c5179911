import type { KubeObject, ObjectMeta } from "../../src/kube/object.ts";

/** Without times, which are parsed only by @kubernetes/client-node. */
interface Timeless extends KubeObject {
  metadata: Omit<ObjectMeta, "creationTimestamp" | "deletionTimestamp" | "managedFields">;
}

/**
 * The custom resource of this comparison. For each widget the operator maintains a ConfigMap with the same name and
 * the value of the widget, and reports the value in the status. If both are correct, the widget is reconciled.
 */
export interface Widget extends Timeless {
  spec: { value: string };
  status?: { value?: string };
}

export interface WidgetConfigMap extends Timeless {
  data?: Record<string, string>;
}

export const group = "bench.mlflow-operator.dev";
export const apiVersion = `${group}/v1`;
export const plural = "widgets";
/** Label of ConfigMaps for widgets. */
export const widgetLabel = `${group}/widget`;

export const widgetPath = (namespace: string, name?: string) =>
  `/apis/${apiVersion}/namespaces/${namespace}/${plural}${name === undefined ? "" : `/${name}`}`;
export const configMapPath = (namespace: string, name?: string) =>
  `/api/v1/namespaces/${namespace}/configmaps${name === undefined ? "" : `/${name}`}`;

export const widgetDefinition = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: `${plural}.${group}` },
  spec: {
    group,
    scope: "Namespaced",
    names: { plural, singular: "widget", kind: "Widget" },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: {
          openAPIV3Schema: {
            type: "object",
            properties: {
              spec: { type: "object", properties: { value: { type: "string" } } },
              status: { type: "object", properties: { value: { type: "string" } } },
            },
          },
        },
      },
    ],
  },
};

/** Returns the desired ConfigMap of a widget. */
export function widgetConfigMap(widget: Widget): WidgetConfigMap {
  const { name, namespace = "", uid = "" } = widget.metadata;
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: {
      name,
      namespace,
      labels: { [widgetLabel]: name },
      ownerReferences: [{ apiVersion, kind: "Widget", name, uid, controller: true }],
    },
    data: { value: widget.spec.value },
  };
}
