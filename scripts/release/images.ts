import { join } from "node:path";
import { supportedVersions } from "../../src/api/versions.ts";
import { succeeded } from "../../test/control-plane/completed.ts";
import { type Release, root } from "./release.ts";
import { craneProgram } from "./tools.ts";

/** An image of the release. */
export interface ReleaseImage {
  readonly name: string;
  readonly tag: string;
  /** The folder with its Dockerfile. */
  readonly context: string;
  readonly buildArgs: readonly string[];
}

/** The operator's image, and that of MLflow for each supported version. */
export function releaseImages({ version }: Release): readonly ReleaseImage[] {
  return [
    { name: "mlflow-operator", tag: version, context: root, buildArgs: [] },
    ...supportedVersions.map((each) => ({
      name: "mlflow-server",
      tag: each,
      context: join(root, "images/mlflow-server"),
      buildArgs: [`MLFLOW_VERSION=${each}`],
    })),
  ];
}

/**
 * Builds the images for one architecture with Docker and pushes them with the architecture as suffix of the tag. BuildKit attaches its SBOM
 * and its provenance. Run it on a machine of that architecture: Node and Python are slow or unstable in an emulator.
 */
export async function buildImages(release: Release, architecture: string): Promise<void> {
  for (const { name, tag, context, buildArgs } of releaseImages(release)) {
    const labels = [`org.opencontainers.image.source=https://github.com/${release.repository}`];
    const args = [
      ...["buildx", "build", "--push", "--platform", `linux/${architecture}`, "--sbom=true", "--provenance=mode=max"],
      ...buildArgs.map((arg) => `--build-arg=${arg}`),
      ...labels.map((label) => `--label=${label}`),
      ...["--tag", `${release.registry}/${name}:${tag}-${architecture}`, context],
    ];
    await succeeded("docker", args, { env: process.env });
  }
}

/** Pushes images from archives as `docker save` and `buildah push … docker-archive:` write them: `<folder>/<name>-<tag>-<architecture>.tar`. */
export async function pushArchives(
  release: Release,
  folder: string,
  architecture: string,
  images = releaseImages(release),
): Promise<void> {
  for (const { name, tag } of images) {
    const archive = join(folder, `${name}-${tag}-${architecture}.tar`);
    await crane("push", archive, `${release.registry}/${name}:${tag}-${architecture}`);
  }
}

/** Joins the pushed images of the architectures under the tag without suffix, and returns the digests by `<name>:<tag>`. */
export async function pushIndexes(
  release: Release,
  architectures: readonly string[],
  images = releaseImages(release),
): Promise<Readonly<Record<string, string>>> {
  const digests: Record<string, string> = {};
  for (const { name, tag } of images) {
    const reference = `${release.registry}/${name}:${tag}`;
    const parts = architectures.flatMap((architecture) => ["--manifest", `${reference}-${architecture}`]);
    await crane("index", "append", ...parts, "--tag", reference);
    digests[`${name}:${tag}`] = (await crane("digest", reference)).trim();
  }
  return digests;
}

async function crane(...args: readonly string[]): Promise<string> {
  return succeeded(await craneProgram(), args, { env: process.env });
}
