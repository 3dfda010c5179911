import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { succeeded } from "../../test/control-plane/completed.ts";
import { nodeVersion } from "./node-binaries.ts";
import { type Release, root } from "./release.ts";
import { sha256 } from "./sha256.ts";

/** Files that are written after the checksums, or are not published. */
const excluded = ["checksums.txt", "checksums.txt.sigstore.json", "digests.json"];

export const provenanceFile = "provenance.intoto.json";

/** The files of the output folder that users download, sorted. */
export async function publishedFiles({ output }: Release): Promise<readonly string[]> {
  const entries = await readdir(output, { withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && !excluded.includes(entry.name))
    .map(({ name }) => name)
    .sort();
}

/** The SHA-256 of each published file, in the format of `sha256sum --check`. */
export async function checksums(release: Release): Promise<string> {
  const lines = (await publishedFiles(release)).map(
    async (name) => `${await sha256(join(release.output, name))}  ${name}\n`,
  );
  return (await Promise.all(lines)).join("");
}

/** A statement of in-toto about artifacts, by their hashes. */
export interface Statement {
  readonly _type: string;
  readonly subject: readonly { readonly name: string; readonly digest: { readonly sha256: string } }[];
  readonly predicateType: string;
  readonly predicate: unknown;
}

/** The statement with the provenance (SLSA 1.0) of the other published files and the pushed artifacts. */
export async function provenance(release: Release): Promise<Statement> {
  const { repository, version, registry, output, digests } = release;
  const files = await Promise.all(
    (await publishedFiles(release))
      .filter((name) => name !== provenanceFile)
      .map(async (name) => ({
        name,
        digest: { sha256: await sha256(join(output, name)) },
      })),
  );
  const pushed = Object.entries(digests).map(([name, digest]) => ({
    name: `${registry}/${name}`,
    digest: { sha256: digest.replace("sha256:", "") },
  }));
  const commit = (await succeeded("git", ["rev-parse", "HEAD"], { cwd: root })).trim();
  const workflow = process.env["GITHUB_WORKFLOW_REF"];
  return {
    _type: "https://in-toto.io/Statement/v1",
    subject: [...files, ...pushed],
    predicateType: "https://slsa.dev/provenance/v1",
    predicate: {
      buildDefinition: {
        buildType: `https://github.com/${repository}/blob/v${version}/docs/releasing.md`,
        externalParameters: { version, registry, repository },
        internalParameters: {},
        resolvedDependencies: [
          { uri: `git+https://github.com/${repository}@refs/tags/v${version}`, digest: { gitCommit: commit } },
          { uri: `pkg:generic/nodejs@${nodeVersion}` },
          { name: "package-lock.json", digest: { sha256: await sha256(join(root, "package-lock.json")) } },
        ],
      },
      runDetails: {
        builder: {
          id: workflow === undefined ? `https://github.com/${repository}/local` : `https://github.com/${workflow}`,
        },
        ...(process.env["GITHUB_RUN_ID"] && {
          metadata: { invocationId: `https://github.com/${repository}/actions/runs/${process.env["GITHUB_RUN_ID"]}` },
        }),
      },
    },
  };
}
