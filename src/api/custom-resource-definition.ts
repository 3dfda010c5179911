import { group } from "../kube/names.ts";
import { resourceSchema } from "./resource-schema.ts";
import { apiVersion } from "./server.ts";
import type { StructuralSchema } from "./structural-schema.ts";

/** A column of `kubectl get`; with priority 1 it is shown only by `-o wide`. */
interface PrinterColumn {
  readonly name: string;
  readonly type: "string" | "integer" | "date";
  readonly jsonPath: string;
  readonly description: string;
  readonly priority?: 1;
}

/** apiextensions.k8s.io/v1 CustomResourceDefinition, as far as ours goes. */
export interface CustomResourceDefinition {
  readonly apiVersion: "apiextensions.k8s.io/v1";
  readonly kind: "CustomResourceDefinition";
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly group: string;
    readonly scope: "Namespaced";
    readonly names: {
      readonly kind: string;
      readonly listKind: string;
      readonly plural: string;
      readonly singular: string;
      readonly shortNames: readonly string[];
      readonly categories: readonly string[];
    };
    readonly versions: readonly {
      readonly name: string;
      readonly served: boolean;
      readonly storage: boolean;
      readonly additionalPrinterColumns: readonly PrinterColumn[];
      readonly subresources: {
        readonly status: Record<string, never>;
        readonly scale: {
          readonly specReplicasPath: string;
          readonly statusReplicasPath: string;
          readonly labelSelectorPath: string;
        };
      };
      readonly schema: { readonly openAPIV3Schema: StructuralSchema };
    }[];
  };
}

const columns: readonly PrinterColumn[] = [
  {
    name: "Ready",
    type: "string",
    jsonPath: '.status.conditions[?(@.type=="Ready")].status',
    description: "Whether the server runs as specified.",
  },
  {
    name: "Version",
    type: "string",
    jsonPath: ".status.version",
    description: "The version of MLflow that runs.",
  },
  { name: "URL", type: "string", jsonPath: ".status.url", description: "Where clients in the cluster find it." },
  { name: "Replicas", type: "integer", jsonPath: ".status.readyReplicas", description: "Pods that are ready." },
  { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp", description: "Time since its creation." },
  {
    name: "Auth",
    type: "string",
    jsonPath: ".status.authentication",
    description: "Who is let in.",
    priority: 1,
  },
  {
    name: "Reason",
    type: "string",
    jsonPath: '.status.conditions[?(@.type=="Ready")].reason',
    description: "Why it is ready or not.",
    priority: 1,
  },
  {
    name: "External-URL",
    type: "string",
    jsonPath: ".status.externalUrl",
    description: "Where clients outside find it.",
    priority: 1,
  },
];

/** The CustomResourceDefinition of MlflowServer, whole, as it is installed. */
export function customResourceDefinition(): CustomResourceDefinition {
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `mlflowservers.${group}` },
    spec: {
      group,
      scope: "Namespaced",
      names: {
        kind: "MlflowServer",
        listKind: "MlflowServerList",
        plural: "mlflowservers",
        singular: "mlflowserver",
        shortNames: ["mlf"],
        categories: ["mlops"],
      },
      versions: [
        {
          name: apiVersion.slice(group.length + 1),
          served: true,
          storage: true,
          additionalPrinterColumns: columns,
          subresources: {
            status: {},
            scale: {
              specReplicasPath: ".spec.replicas",
              statusReplicasPath: ".status.replicas",
              labelSelectorPath: ".status.selector",
            },
          },
          schema: { openAPIV3Schema: resourceSchema() },
        },
      ],
    },
  };
}
