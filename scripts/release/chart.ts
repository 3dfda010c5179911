import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dump } from "js-yaml";
import { supportedVersions } from "../../src/api/versions.ts";
import { operatorManifest } from "../../test/chart/files.ts";
import { helm, helmProgram } from "../../test/chart/helm.ts";
import { objectsOf, type Rendered, release as releaseName } from "../../test/chart/rendering.ts";
import { completed, succeeded } from "../../test/control-plane/completed.ts";
import { changesOf, sectionsOf } from "./changelog.ts";
import { type Release, root, withNamesOf } from "./release.ts";

const source = join(root, "charts/mlflow-operator");

/** Calls `use` with a folder that has the chart of a release: with its images, by digest once they are pushed, and its changes. */
export async function withChart<T>(release: Release, use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "chart-"));
  try {
    const chart = join(folder, "mlflow-operator");
    await cp(source, chart, { recursive: true });
    const metadata = await readFile(join(source, "Chart.yaml"), "utf8");
    await writeFile(join(chart, "Chart.yaml"), withNamesOf(release, metadata) + (await changesAnnotation(release)));
    await writeFile(join(chart, "values.yaml"), valuesOf(release, await readFile(join(source, "values.yaml"), "utf8")));
    await writeFile(join(chart, "README.md"), readmeOf(release, await readFile(join(source, "README.md"), "utf8")));
    return await use(chart);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Writes the chart as a package and returns its path. */
export async function packageChart(release: Release): Promise<string> {
  await mkdir(release.output, { recursive: true });
  await withChart(release, (chart) => helmed("package", chart, "--destination", release.output));
  return join(release.output, `mlflow-operator-${release.version}.tgz`);
}

/** Pushes the package of the chart to `<registry>/charts`, and returns the digest. */
export async function pushChart(release: Release, options: readonly string[] = []): Promise<string> {
  const file = join(release.output, `mlflow-operator-${release.version}.tgz`);
  // With the user's credentials for the registry; Helm prints the digest on stderr.
  const args = ["push", file, `oci://${release.registry}/charts`, ...options];
  const { code, stdout, stderr } = await completed(await helmProgram(), args, { env: process.env });
  const output = stdout + stderr;
  if (code !== 0) throw new Error(`helm ${args.join(" ")}: ${stderr.trim()}`);
  const digest = /^Digest: (sha256:[0-9a-f]{64})$/m.exec(output)?.[1];
  if (digest === undefined) throw new Error(`helm push printed no digest: ${output}`);
  return digest;
}

/** Pulls the chart of the release from the registry into a folder, and returns the path of the package. */
export async function pullChart(release: Release, folder: string, options: readonly string[] = []): Promise<string> {
  const from = [`oci://${release.registry}/charts/mlflow-operator`, "--version", release.version];
  const args = ["pull", ...from, ...options, "--destination", folder];
  await succeeded(await helmProgram(), args, { env: process.env });
  return join(folder, `mlflow-operator-${release.version}.tgz`);
}

/** The objects that the chart of a release creates with its default values. */
export async function chartObjects(release: Release): Promise<readonly Rendered[]> {
  return withChart(release, async (chart) =>
    objectsOf(await helmed("template", releaseName, chart, "--namespace", releaseName)),
  );
}

/** The manifest for `kubectl apply` without Helm, CRDs last. */
export async function installManifest(release: Release): Promise<string> {
  const objects = await chartObjects(release);
  const definitions = objects
    .filter(({ kind }) => kind === "CustomResourceDefinition")
    .map(({ metadata: { name } }) => name);
  const texts = definitions.map((name) => readFile(join(root, `crds/${name.split(".")[0]}.yaml`), "utf8"));
  const head = `# mlflow-operator ${release.version}: kubectl apply --server-side -f install.yaml\n`;
  return head + operatorManifest(objects) + (await Promise.all(texts)).map((text) => `---\n${text}`).join("");
}

async function helmed(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await helm(args);
  if (code !== 0) throw new Error(`helm ${args.join(" ")}: ${stderr.trim()}`);
  return stdout;
}

function valuesOf({ registry, digests, version }: Release, values: string): string {
  const [host = "", ...path] = registry.split("/");
  const replaced = (text: string, from: string, to: string) => {
    if (!text.includes(from))
      throw new Error(`values.yaml does not contain ${JSON.stringify(from)}: update scripts/release/chart.ts.`);
    return text.replaceAll(from, to);
  };
  let text = replaced(values, "registry: ghcr.io\n", `registry: ${host}\n`);
  text = replaced(text, "repository: mlflow-operator/", `repository: ${path.join("/")}/`);
  const operator = digests[`mlflow-operator:${version}`];
  if (operator !== undefined) text = text.replace('  digest: ""\n', `  digest: ${operator}\n`);
  const servers = supportedVersions.flatMap((each) => {
    const digest = digests[`mlflow-server:${each}`];
    return digest === undefined ? [] : [[each, digest] as const];
  });
  if (servers.length === 0) return text;
  return replaced(
    text,
    "  digests: {}\n",
    `  digests:\n${servers.map(([each, digest]) => `    "${each}": ${digest}\n`).join("")}`,
  );
}

function readmeOf(release: Release, text: string): string {
  const local = "helm upgrade --install mlflow-operator charts/mlflow-operator ";
  if (!text.includes(local))
    throw new Error(`The chart's README.md does not contain "${local}": update scripts/release/chart.ts.`);
  const published = `oci://${release.registry}/charts/mlflow-operator --version ${release.version}`;
  return withNamesOf(release, text).replace(local, `helm upgrade --install mlflow-operator ${published} `);
}

/** The changes of the version, which Artifact Hub shows. Empty before the version is in CHANGELOG.md. */
async function changesAnnotation({ version }: Release): Promise<string> {
  const changelog = await readFile(join(root, "CHANGELOG.md"), "utf8");
  const section = sectionsOf(changelog).find(({ title }) => title === version);
  if (section === undefined) return "";
  const text = dump(changesOf(section), { lineWidth: -1 });
  return `  artifacthub.io/changes: |\n${text.replaceAll(/^(?=.)/gm, "    ")}`;
}
