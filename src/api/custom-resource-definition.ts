import { group } from "../kube/names.ts";
import { apiVersion } from "./server.ts";
import type { StructuralSchema } from "./structural-schema.ts";

/** A column of `kubectl get`; with priority 1 it is shown only by `-o wide`. */
export interface PrinterColumn {
  readonly name: string;
  readonly type: "string" | "integer" | "date";
  readonly jsonPath: string;
  readonly description: string;
  readonly priority?: 1;
}

interface Subresources {
  readonly status: Record<string, never>;
  readonly scale?: {
    readonly specReplicasPath: string;
    readonly statusReplicasPath: string;
    readonly labelSelectorPath: string;
  };
}

/** apiextensions.k8s.io/v1 CustomResourceDefinition: the fields that this project uses. */
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
      readonly subresources: Subresources;
      readonly schema: { readonly openAPIV3Schema: StructuralSchema };
    }[];
  };
}

/** The parts of a CustomResourceDefinition that differ between the kinds of this project. */
export interface Definition {
  readonly kind: string;
  readonly plural: string;
  readonly shortName: string;
  readonly columns: readonly PrinterColumn[];
  readonly schema: StructuralSchema;
  readonly subresources?: Omit<Subresources, "status">;
}

/**
 * The conditions of an object that the operator has not reported on yet, as the default of the CRD, which the API server returns for
 * it. Without them kstatus (Flux, Helm) takes a new object for ready. The CRDs of the Gateway API do the same.
 */
const pendingStatus = {
  conditions: ["Ready", "Reconciling", "Stalled"].map((type) => ({
    type,
    status: "Unknown",
    reason: "Pending",
    message: "Waiting for the operator. Check that it runs and watches this namespace.",
    observedGeneration: 0,
    lastTransitionTime: "1970-01-01T00:00:00Z",
  })),
};

function withPendingStatus(schema: StructuralSchema): StructuralSchema {
  const { status, ...others } = schema.properties ?? {};
  return { ...schema, properties: { ...others, status: { ...status, default: pendingStatus } } };
}

/** The complete CustomResourceDefinition of a kind. */
export function definitionOf({
  kind,
  plural,
  shortName,
  columns,
  schema,
  subresources,
}: Definition): CustomResourceDefinition {
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: "Namespaced",
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular: kind.toLowerCase(),
        shortNames: [shortName],
        categories: ["mlops"],
      },
      versions: [
        {
          name: apiVersion.slice(group.length + 1),
          served: true,
          storage: true,
          additionalPrinterColumns: columns,
          subresources: { status: {}, ...subresources },
          schema: { openAPIV3Schema: withPendingStatus(schema) },
        },
      ],
    },
  };
}
