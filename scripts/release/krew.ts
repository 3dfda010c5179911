import { join } from "node:path";
import { dump } from "js-yaml";
import type { Platform } from "./node-binaries.ts";
import { archiveName, executableName, licenses } from "./plugin.ts";
import type { Release } from "./release.ts";
import { sha256 } from "./sha256.ts";

/** The manifest of the plugin for krew, for the platforms whose archives are in the output folder. */
export async function krewManifest(release: Release, platforms: readonly Platform[]): Promise<string> {
  const { version, repository, output } = release;
  const entries = platforms.map(async (platform) => {
    const name = archiveName(release, platform);
    const [os = "", arch = ""] = platform.split("-");
    return {
      selector: { matchLabels: { os, arch } },
      uri: `https://github.com/${repository}/releases/download/v${version}/${name}`,
      sha256: await sha256(join(output, name)),
      bin: executableName(platform),
      files: [executableName(platform), ...licenses].map((from) => ({ from, to: "." })),
    };
  });
  return dump(
    {
      apiVersion: "krew.googlecontainertools.github.com/v1alpha2",
      kind: "Plugin",
      metadata: { name: "mlflow" },
      spec: {
        version: `v${version}`,
        homepage: `https://github.com/${repository}`,
        shortDescription: "Validate, render and compare MlflowServers",
        description: [
          "Checks MlflowServer manifests without a cluster, prints the objects that",
          "mlflow-operator creates for them, compares these with the cluster, shows who",
          "has access to a workspace, and converts the values of MLflow's Helm charts.\n",
        ].join("\n"),
        caveats: [
          "The operator itself is installed separately:",
          `https://github.com/${repository}/blob/v${version}/docs/installation.md\n`,
        ].join("\n"),
        platforms: await Promise.all(entries),
      },
    },
    { noRefs: true, lineWidth: -1 },
  );
}
