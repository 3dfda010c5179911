import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { dump, load, loadAll } from "js-yaml";
import { definitions } from "../../src/api/definitions.ts";
import { defaultProxyImage } from "../../src/api/images.ts";
import { isObject } from "../../src/api/structure.ts";
import { supportedVersions } from "../../src/api/versions.ts";
import { withoutHelm } from "../../test/chart/files.ts";
import type { Rendered } from "../../test/chart/rendering.ts";
import { chartObjects } from "./chart.ts";
import { imageReference, type Release, root } from "./release.ts";

const name = "mlflow-operator";

/** Kinds that OLM creates from a bundle, in addition to what the ClusterServiceVersion itself describes. */
const bundledKinds = ["ClusterRole", "PodDisruptionBudget", "Service"];

/** Kinds that OLM rejects: a cluster administrator applies them (docs/installation.md). */
const policyKinds = ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"];

/** Kinds that the ClusterServiceVersion describes, or that OLM creates itself. */
const describedKinds = [
  ...["CustomResourceDefinition", "Deployment", "Role", "RoleBinding", "ClusterRoleBinding", "ServiceAccount"],
  ...policyKinds,
];

const shownAs: Readonly<Record<string, { readonly displayName: string; readonly description: string }>> = {
  MlflowServer: { displayName: "MLflow server", description: "A secured MLflow tracking server." },
  MlflowWorkspaceAccess: {
    displayName: "Access to a workspace",
    description: "A role in the workspace of a namespace, granted to users, groups and ServiceAccounts.",
  },
  MlflowBackup: {
    displayName: "Backup of an MLflow server",
    description: "One backup of an MLflow server, to a volume or a bucket.",
  },
  MlflowBackupSchedule: {
    displayName: "Schedule of backups",
    description: "Backups of an MLflow server at the times of a cron schedule, with retention.",
  },
};

/** Examples that OperatorHub shows, one for each kind. */
const examples = [
  "examples/sqlite-quick-start.yaml",
  "examples/workspace-access.yaml",
  "examples/backup.yaml",
  "examples/backup-schedule.yaml",
];

/** The files of the bundle for the Operator Lifecycle Manager, by path in the bundle. */
export async function bundleFiles(release: Release, created: Date): Promise<Readonly<Record<string, string>>> {
  const objects = (await chartObjects(release)).map(withoutHelm);
  const unknown = objects.find(({ kind }) => ![...bundledKinds, ...describedKinds].includes(kind));
  if (unknown)
    throw new Error(
      `The chart has the ${unknown.kind} ${unknown.metadata.name}, which the bundle does not contain: add the kind to scripts/release/bundle.ts.`,
    );
  const version = await serviceVersion(release, objects, created);
  const files: Record<string, string> = {
    [`manifests/${name}.clusterserviceversion.yaml`]: yaml(version),
    "metadata/annotations.yaml": yaml({ annotations: annotations() }),
    "bundle.Dockerfile": dockerfile(),
  };
  for (const definition of definitions()) files[`manifests/${definition.metadata.name}.crd.yaml`] = yaml(definition);
  const { clusterRole } = partsOf(objects);
  for (const object of objects) {
    if (!bundledKinds.includes(object.kind) || object === clusterRole) continue;
    // OLM sets the namespace.
    const { namespace: _, ...metadata } = object.metadata;
    files[`manifests/${metadata.name}.${object.kind.toLowerCase()}.yaml`] = yaml({ ...object, metadata });
  }
  return files;
}

/** The admission policies of the chart, which OLM cannot install. */
export async function admissionPolicies(release: Release): Promise<string> {
  const policies = (await chartObjects(release)).filter(({ kind }) => policyKinds.includes(kind));
  const head = `# The admission policies of mlflow-operator ${release.version} for an installation with OLM in the namespace ${name}.\n`;
  return head + policies.map((object) => `---\n${yaml(withoutHelm(object))}`).join("");
}

/** Writes the bundle to the folder `bundle` of the release, and returns the folder. */
export async function writeBundle(release: Release, created: Date): Promise<string> {
  const folder = join(release.output, "bundle");
  await rm(folder, { recursive: true, force: true });
  for (const [path, content] of Object.entries(await bundleFiles(release, created))) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
  return folder;
}

/** The metadata that OperatorHub shows. */
function catalogAnnotations({
  image,
  home,
  created,
  samples,
  description,
  capabilities,
}: {
  readonly image: string;
  readonly home: string;
  readonly created: Date;
  readonly samples: readonly unknown[];
  readonly description: unknown;
  readonly capabilities: unknown;
}) {
  return {
    "alm-examples": JSON.stringify(onePerKind(samples), undefined, 2),
    capabilities,
    categories: "AI/Machine Learning",
    containerImage: image,
    createdAt: created.toISOString(),
    description,
    "operatorframework.io/suggested-namespace": name,
    "operators.operatorframework.io/builder": "scripts/release",
    repository: home,
    support: `${home}/issues`,
  };
}

async function serviceVersion(release: Release, objects: readonly Rendered[], created: Date) {
  const { version, repository } = release;
  const { deployment, clusterRole, role } = partsOf(objects);
  const home = `https://github.com/${repository}`;
  const [owner = ""] = repository.split("/");
  const image = imageReference(release, name, version);
  const chart = load(await readFile(join(root, "charts/mlflow-operator/Chart.yaml"), "utf8"));
  if (!isObject(chart)) throw new Error("Chart.yaml is not an object.");
  const annotations = isObject(chart["annotations"]) ? chart["annotations"] : {};
  const texts = { description: chart["description"], capabilities: annotations["artifacthub.io/operatorCapabilities"] };
  const samples = (await Promise.all(examples.map(documentsOf))).flat();
  return {
    apiVersion: "operators.coreos.com/v1alpha1",
    kind: "ClusterServiceVersion",
    metadata: {
      name: `${name}.v${version}`,
      namespace: "placeholder",
      annotations: catalogAnnotations({ image, home, created, samples, ...texts }),
    },
    spec: {
      displayName: "MLflow Operator",
      description: await description(home, version),
      version,
      maturity: "alpha",
      minKubeVersion: "1.30.0",
      keywords: chart["keywords"],
      icon: [
        {
          base64data: (await readFile(join(root, "docs/images/icon.svg"))).toString("base64"),
          mediatype: "image/svg+xml",
        },
      ],
      provider: { name: "The mlflow-operator authors", url: home },
      maintainers: [{ name: "The mlflow-operator authors", email: `${owner}@users.noreply.github.com` }],
      links: [
        { name: "Documentation", url: `${home}#documentation` },
        { name: "Source", url: home },
      ],
      // The operator watches all namespaces, or those of its arguments, which OLM does not set.
      installModes: ["OwnNamespace", "SingleNamespace", "MultiNamespace", "AllNamespaces"].map((type) => ({
        type,
        supported: type === "AllNamespaces",
      })),
      install: {
        strategy: "deployment",
        spec: {
          deployments: [{ name, label: deployment.metadata.labels, spec: deployment["spec"] }],
          permissions: [{ serviceAccountName: name, rules: role["rules"] }],
          clusterPermissions: [{ serviceAccountName: name, rules: clusterRole["rules"] }],
        },
      },
      customresourcedefinitions: {
        owned: definitions().map(({ metadata, spec }) => ({
          name: metadata.name,
          kind: spec.names.kind,
          version: spec.versions[0]?.name,
          ...shownAs[spec.names.kind],
        })),
      },
      relatedImages: [
        { name: "operator", image },
        ...supportedVersions.map((each) => ({
          name: `mlflow-server-${each}`,
          image: imageReference(release, "mlflow-server", each),
        })),
        { name: "oauth2-proxy", image: defaultProxyImage },
      ],
    },
  };
}

/** The objects of the operator itself. */
function partsOf(objects: readonly Rendered[]) {
  const the = (kind: string, suffix = "") => {
    const found = objects.find((object) => object.kind === kind && object.metadata.name === `${name}${suffix}`);
    if (found === undefined)
      throw new Error(`The chart has no ${kind} ${name}${suffix}: update scripts/release/bundle.ts.`);
    return found;
  };
  return {
    deployment: the("Deployment"),
    clusterRole: the("ClusterRole"),
    role: the("Role", "-leader-election"),
  };
}

async function documentsOf(path: string): Promise<readonly unknown[]> {
  return loadAll(await readFile(join(root, path), "utf8"));
}

function onePerKind(documents: readonly unknown[]): readonly unknown[] {
  const kinds = definitions().map(({ spec }) => spec.names.kind);
  return kinds.map((kind) => {
    const sample = documents.find((document) => isObject(document) && document["kind"] === kind);
    if (sample === undefined) throw new Error(`No example of ${kind} in ${examples.join(" and ")}.`);
    return sample;
  });
}

async function description(home: string, version: string): Promise<string> {
  const readme = await readFile(join(root, "README.md"), "utf8");
  const features = /^## What it does\n([\s\S]*?)^## /m.exec(readme)?.[1]?.trim();
  if (features === undefined) throw new Error('README.md has no section "What it does".');
  const absolute = features.replaceAll(/\]\((?!https?:)/g, `](${home}/blob/v${version}/`);
  const policies = `${home}/blob/v${version}/docs/installation.md#operator-lifecycle-manager`;
  return `Runs secured [MLflow](https://mlflow.org) tracking servers.\n\n${absolute}\n\nOLM does not install the operator's admission policies: [apply them](${policies}) after the installation.\n`;
}

function annotations(): Readonly<Record<string, string>> {
  const prefix = "operators.operatorframework.io.bundle";
  return {
    [`${prefix}.mediatype.v1`]: "registry+v1",
    [`${prefix}.manifests.v1`]: "manifests/",
    [`${prefix}.metadata.v1`]: "metadata/",
    [`${prefix}.package.v1`]: name,
    [`${prefix}.channels.v1`]: "alpha",
    [`${prefix}.channel.default.v1`]: "alpha",
  };
}

function dockerfile(): string {
  const labels = Object.entries(annotations()).map(([key, value]) => `LABEL ${key}=${value}\n`);
  return `FROM scratch\n${labels.join("")}COPY manifests /manifests/\nCOPY metadata /metadata/\n`;
}

const yaml = (value: unknown) => dump(value, { noRefs: true, lineWidth: 120 });
