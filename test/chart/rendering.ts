import { readdirSync } from "node:fs";
import { join } from "node:path";
import { loadAll } from "js-yaml";
import { chart, helm } from "./helm.ts";

/** An object of a manifest. */
export interface Rendered {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [more: string]: unknown;
}

/** Release name and namespace of all renderings. */
export const release = "mlflow-operator";

const folder = join(import.meta.dirname, "values");

/** Names of the files below `values/`, without extension: each is a test case. */
export const valueSets: readonly string[] = readdirSync(folder)
  .filter((file) => file.endsWith(".yaml"))
  .map((file) => file.replace(/\.yaml$/, ""))
  .sort();

export const valuesFile = (set: string) => join(folder, `${set}.yaml`);

/** What `helm template` prints for a set of values, with further arguments. Rejects with the error of Helm. */
export async function renderedText(set: string, ...more: readonly string[]): Promise<string> {
  const args = ["template", release, chart, "--namespace", release, "--values", valuesFile(set), ...more];
  const { code, stdout, stderr } = await helm(args);
  if (code !== 0) throw new Error(`helm ${args.join(" ")}: ${stderr.trim()}`);
  return stdout;
}

export async function renderedObjects(set: string, ...more: readonly string[]): Promise<readonly Rendered[]> {
  return objectsOf(await renderedText(set, ...more));
}

/** The objects of a manifest. */
export function objectsOf(manifest: string): readonly Rendered[] {
  const documents: unknown[] = loadAll(manifest);
  return documents.filter(isObject);
}

export function isObject(document: unknown): document is Rendered {
  return typeof document === "object" && document !== null && "kind" in document && "metadata" in document;
}
