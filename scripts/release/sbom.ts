import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { supportedVersions } from "../../src/api/versions.ts";
import { nodeVersion } from "./node-binaries.ts";
import { type Release, root } from "./release.ts";

/** An SPDX 2.3 document as far as this project reads and writes it. */
export interface Spdx {
  readonly name: string;
  readonly documentNamespace: string;
  readonly creationInfo: { readonly created: string; readonly creators: readonly string[] };
  readonly documentDescribes: readonly string[];
  readonly packages: readonly SpdxPackage[];
  readonly relationships: readonly Readonly<Record<string, string>>[];
  readonly [more: string]: unknown;
}

export interface SpdxPackage {
  readonly name: string;
  readonly SPDXID: string;
  readonly versionInfo: string;
  readonly externalRefs: readonly { readonly referenceLocator: string; readonly [more: string]: unknown }[];
  readonly [more: string]: unknown;
}

/**
 * The packages of a release by file name: of the operator and its command line, with Node, and the Python packages of each MLflow image.
 * Debian's packages are in the SBOM that the build of an image attaches to it.
 */
export async function sboms(release: Release, created: Date): Promise<Readonly<Record<string, Spdx>>> {
  const files: Record<string, Spdx> = { "sbom-mlflow-operator.spdx.json": await operatorSbom(release, created) };
  for (const version of supportedVersions)
    files[`sbom-mlflow-server-${version}.spdx.json`] = await serverSbom(release, version, created);
  return files;
}

/** Node and the production dependencies of package-lock.json, of which the bundle contains those parts that it uses. */
async function operatorSbom(release: Release, created: Date): Promise<Spdx> {
  const lock: { packages: Readonly<Record<string, LockedPackage>> } = JSON.parse(
    await readFile(join(root, "package-lock.json"), "utf8"),
  );
  const packages = Object.entries(lock.packages).flatMap(
    ([path, { version, dev, devOptional, license, integrity }]) => {
      const name = path.replace(/^.*node_modules\//, "");
      if (path === "" || dev || devOptional || version === undefined) return [];
      const purl = `pkg:npm/${name.replace(/^@/, "%40")}@${version}`;
      const sha512 = Buffer.from(integrity?.replace("sha512-", "") ?? "", "base64").toString("hex");
      return [
        {
          ...packageOf(name, version, purl),
          licenseDeclared: license ?? "NOASSERTION",
          ...(sha512 && { checksums: [{ algorithm: "SHA512", checksumValue: sha512 }] }),
        },
      ];
    },
  );
  const own = packageOf("mlflow-operator", release.version, `pkg:oci/mlflow-operator?tag=${release.version}`);
  return document(
    release,
    own,
    [packageOf("node", nodeVersion, `pkg:generic/nodejs@${nodeVersion}`), ...packages],
    created,
  );
}

interface LockedPackage {
  readonly version?: string;
  readonly dev?: boolean;
  readonly devOptional?: boolean;
  readonly license?: string;
  readonly integrity?: string;
}

async function serverSbom(release: Release, version: string, created: Date): Promise<Spdx> {
  const lock = await readFile(join(root, `images/mlflow-server/requirements-${version}.lock`), "utf8");
  const pins = [...lock.matchAll(/^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)/gm)];
  const packages = pins.map(([, name = "", pinned = ""]) =>
    packageOf(name, pinned, `pkg:pypi/${name.toLowerCase()}@${pinned}`),
  );
  return document(
    release,
    packageOf("mlflow-server", version, `pkg:oci/mlflow-server?tag=${version}`),
    packages,
    created,
  );
}

function document(release: Release, main: SpdxPackage, packages: readonly SpdxPackage[], created: Date): Spdx {
  return {
    spdxVersion: "SPDX-2.3",
    dataLicense: "CC0-1.0",
    SPDXID: "SPDXRef-DOCUMENT",
    ...identity(release, `${main.name}-${main.versionInfo}`, created),
    documentDescribes: [main.SPDXID],
    // One version of a package can be in several folders.
    packages: [main, ...new Map(packages.map((each) => [each.SPDXID, each])).values()],
    relationships: [
      relationship("SPDXRef-DOCUMENT", "DESCRIBES", main.SPDXID),
      ...packages.map(({ SPDXID }) => relationship(main.SPDXID, "CONTAINS", SPDXID)),
    ],
  };
}

function identity({ repository, version }: Release, name: string, created: Date) {
  return {
    name,
    documentNamespace: `https://github.com/${repository}/releases/download/v${version}/${name}.spdx.json`,
    creationInfo: {
      created: created.toISOString().replace(/\.\d+Z$/, "Z"),
      creators: ["Tool: mlflow-operator scripts/release"],
    },
  };
}

function packageOf(name: string, version: string, purl: string): SpdxPackage {
  return {
    name,
    SPDXID: `SPDXRef-Package-${name.replaceAll(/[^A-Za-z0-9.-]/g, ".")}-${version.replaceAll(/[^A-Za-z0-9.-]/g, ".")}`,
    versionInfo: version,
    downloadLocation: "NOASSERTION",
    filesAnalyzed: false,
    licenseDeclared: "NOASSERTION",
    externalRefs: [{ referenceCategory: "PACKAGE-MANAGER", referenceType: "purl", referenceLocator: purl }],
  };
}

const relationship = (spdxElementId: string, relationshipType: string, relatedSpdxElement: string) => ({
  spdxElementId,
  relatedSpdxElement,
  relationshipType,
});
