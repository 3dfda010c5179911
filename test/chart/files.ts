import { dump } from "js-yaml";
import { type Rendered, release, renderedObjects, renderedText, valueSets } from "./rendering.ts";

/** A file that is generated from the chart. */
export interface ChartFile {
  /** From the root of the project. */
  readonly path: string;
  readonly content: string;
}

const head = "# Generated from charts/mlflow-operator by npm run generate:chart: do not edit.\n";

/** All files that Helm generates from the chart, without the CRDs: the goldens and the kustomize base. */
export async function chartFiles(): Promise<readonly ChartFile[]> {
  const goldens = await Promise.all(
    valueSets.map(async (set) => ({
      path: `test/chart/golden/${set}.yaml`,
      content: head + withoutDefinition(await renderedText(set)),
    })),
  );
  const operator = operatorManifest(await renderedObjects("default"));
  return [...goldens, { path: "config/base/operator.yaml", content: head + operator }];
}

/** The manifest of objects of the chart without Helm: with the namespace, and without the CRDs and the labels of a release. */
export function operatorManifest(objects: readonly Rendered[]): string {
  const operator = objects.filter(({ kind }) => kind !== "CustomResourceDefinition");
  return documents([namespace, ...operator.map(withoutHelm)]);
}

/** Leaves out the CRDs, which have their own files. */
function withoutDefinition(text: string): string {
  return text
    .split(/^---\n/m)
    .map((part) =>
      part.includes("\nkind: CustomResourceDefinition\n")
        ? part.replace(/^spec:\n[\s\S]*/m, `spec: (crds/${/^ {2}name: (\w+)/m.exec(part)?.[1]}.yaml)\n`)
        : part,
    )
    .join("---\n");
}

const namespace: Rendered = {
  apiVersion: "v1",
  kind: "Namespace",
  metadata: {
    name: release,
    labels: { "app.kubernetes.io/name": release, "pod-security.kubernetes.io/enforce": "restricted" },
  },
};

const ofHelm = ["app.kubernetes.io/managed-by", "helm.sh/chart", "helm.sh/resource-policy"];

/** The same without the labels of a release, in pod templates too. */
export function withoutHelm(object: Rendered): Rendered {
  const isOfHelm = (key: string, value: unknown) =>
    ofHelm.includes(key) || (key === "annotations" && Object.keys(value ?? {}).every((each) => ofHelm.includes(each)));
  return JSON.parse(JSON.stringify(object, (key, value) => (isOfHelm(key, value) ? undefined : value)));
}

function documents(objects: readonly unknown[]): string {
  return objects.map((object) => `---\n${dump(object, { noRefs: true, lineWidth: 120 })}`).join("");
}
