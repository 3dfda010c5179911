/** The steps of a release, each of which runs locally. See docs/releasing.md. */
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { admissionPolicies, writeBundle } from "./release/bundle.ts";
import { installManifest, packageChart, pushChart } from "./release/chart.ts";
import { signRelease, writeKeys } from "./release/cosign.ts";
import { buildImages, pushArchives, pushIndexes } from "./release/images.ts";
import { krewManifest } from "./release/krew.ts";
import { isPlatform, type Platform, platforms } from "./release/node-binaries.ts";
import { releaseNotes } from "./release/notes.ts";
import { writePlugins } from "./release/plugin.ts";
import { checksums, provenance, provenanceFile } from "./release/provenance.ts";
import { startRegistry } from "./release/registry.ts";
import { type Release, releaseOf, root, storedDigests } from "./release/release.ts";
import { sboms } from "./release/sbom.ts";
import { writeArchive } from "./release/tar.ts";
import { verifyRelease } from "./release/verify.ts";
import { writeVersion } from "./release/version.ts";

const usage = `Usage: npm run release -- <step> [options]

Steps, in the order of a release:
  version <x.y.z>  set the version of all files; "Unreleased" of CHANGELOG.md becomes the version
  images           build and push the images for one architecture (Docker, or archives with --archives)
  index            join the images of the architectures, and store their digests
  chart            write the chart's package
  push-chart       push the package, and store its digest
  manifests        write install.yaml and admission-policies.yaml
  plugin           write the archives of kubectl-mlflow
  krew             write the manifest of the plugin for krew
  bundle           write the bundle for the Operator Lifecycle Manager
  sbom             write the lists of packages (SPDX)
  checksums        write provenance.intoto.json and checksums.txt
  sign             sign the pushed artifacts and checksums.txt with cosign, with provenance and lists of packages
  verify           pull what was pushed, and verify signatures, statements and files
  notes            print the notes of the release
  files            all steps that need no registry: chart, manifests, plugin, krew, bundle, sbom, checksums

To try a release:
  registry         run a registry without TLS for --registry localhost:<port>/<path>, until it is interrupted
  keys             write cosign.key and cosign.pub into the current folder; COSIGN_PASSWORD encrypts the key

Options:
  --registry <host/path>      where images and charts go; default: ghcr.io/<owner of the repository>
  --repository <owner/name>   the GitHub repository; default: $GITHUB_REPOSITORY, or the remote origin
  --output <folder>           default: artifacts/release
  --architecture <list>       amd64, arm64; default: that of this machine
  --archives <folder>         push <name>-<tag>-<architecture>.tar instead of building with Docker
  --platform <list>           ${platforms.join(", ")}
  --key <file>                a key of cosign instead of the identity of the workflow; the public one for verify
  --offline                   with --key: without Sigstore's transparency log
  --plain-http                the registry has no TLS
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    registry: { type: "string" },
    repository: { type: "string" },
    output: { type: "string" },
    architecture: { type: "string", default: process.arch === "x64" ? "amd64" : process.arch },
    archives: { type: "string" },
    platform: { type: "string", default: platforms.filter((each) => !each.startsWith("darwin")).join(",") },
    key: { type: "string" },
    offline: { type: "boolean", default: false },
    "plain-http": { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});

const output = values.output ?? join(root, "artifacts/release");
const release = releaseOf({ ...values, output }, await storedDigests(output));
const architectures = values.architecture.split(",");
const chosenPlatforms = values.platform.split(",").map((platform): Platform => {
  if (isPlatform(platform)) return platform;
  throw new Error(`--platform ${platform} is unknown: use ${platforms.join(", ")}.`);
});
const signing = { key: values.key, isOffline: values.offline };
const helmOptions = values["plain-http"] ? ["--plain-http"] : [];
/** One time for all files, so that a step can be repeated with the same result. */
const created = new Date(Number(process.env["SOURCE_DATE_EPOCH"] ?? Math.floor(Date.now() / 1000)) * 1000);

const steps: Readonly<Record<string, () => Promise<void>>> = {
  version: async () => {
    const [, next = ""] = positionals;
    const files = await writeVersion(root, next, created.toISOString().slice(0, 10));
    console.log(`${files.join("\n")}\nNow run: npm run generate:chart`);
  },
  images: async () => {
    for (const architecture of architectures)
      if (values.archives === undefined) await buildImages(release, architecture);
      else await pushArchives(release, values.archives, architecture);
  },
  index: async () => storeDigests(release, await pushIndexes(release, architectures)),
  chart: async () => console.log(await packageChart(release)),
  "push-chart": async () => {
    const digest = await pushChart(release, helmOptions);
    await storeDigests(release, { [`charts/mlflow-operator:${release.version}`]: digest });
  },
  manifests: async () => {
    await write("install.yaml", await installManifest(release));
    await write("admission-policies.yaml", await admissionPolicies(release));
  },
  plugin: async () => console.log((await writePlugins(release, chosenPlatforms)).join("\n")),
  krew: async () => write("mlflow.yaml", await krewManifest(release, chosenPlatforms)),
  bundle: async () => {
    const folder = await writeBundle(release, created);
    await writeArchive(folder, ["."], join(output, `olm-bundle-v${release.version}.tar.gz`));
  },
  sbom: async () => {
    for (const [name, document] of Object.entries(await sboms(release, created))) await write(name, json(document));
  },
  checksums: async () => {
    await write(provenanceFile, json(await provenance(release)));
    await write("checksums.txt", await checksums(release));
  },
  sign: () => signRelease(release, signing),
  verify: async () => {
    const verified = await verifyRelease(release, signing, helmOptions);
    console.log(verified.map((name) => `${name}: verified`).join("\n"));
  },
  notes: async () => {
    const changelog = await readFile(join(root, "CHANGELOG.md"), "utf8");
    console.log(releaseNotes(release, changelog));
  },
  files: async () => {
    for (const step of ["chart", "manifests", "plugin", "krew", "bundle", "sbom", "checksums"]) await steps[step]?.();
  },
  registry: async () => {
    const port = /^(?:localhost|127\.0\.0\.1):(\d+)\//.exec(release.registry)?.[1];
    if (port === undefined) throw new Error("registry needs --registry localhost:<port>/<path>.");
    const { process: server } = await startRegistry(Number(port));
    for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => server.kill());
    console.log(`The registry ${release.registry} runs until it is interrupted, and keeps nothing.`);
    await once(server, "exit");
  },
  keys: () => writeKeys(process.cwd()),
};

const step = steps[positionals[0] ?? ""];
if (step === undefined || values.help) {
  console.error(usage);
  process.exitCode = values.help ? 0 : 2;
} else await step();

async function write(name: string, content: string): Promise<void> {
  await mkdir(output, { recursive: true });
  await writeFile(join(output, name), content);
  console.log(join(output, name));
}

async function storeDigests({ digests }: Release, more: Release["digests"]): Promise<void> {
  await write("digests.json", json({ ...digests, ...more }));
}

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
