import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import { load } from "js-yaml";
import { releaseImages } from "../../scripts/release/images.ts";
import { releaseOf, root } from "../../scripts/release/release.ts";
import { sha256 } from "../../scripts/release/sha256.ts";
import { supportedVersions } from "../../src/api/versions.ts";
import { version } from "../../src/version.ts";
import { reportOnStderr } from "../control-plane/binaries.ts";
import { succeeded } from "../control-plane/completed.ts";
import { withoutHelm } from "./files.ts";
import { chart, helm } from "./helm.ts";
import { releasePrograms } from "./release-programs.ts";
import { objectsOf, type Rendered, release as releaseName } from "./rendering.ts";

/** A release that is pushed to a registry on the loopback interface, by the commands of docs/releasing.md. */
const folder = mkdtempSync(join(tmpdir(), "release-"));
const output = join(folder, "release");
let crane = "";
let registry: ChildProcess | undefined;
let owner = "";
before(async () => {
  crane = (await releasePrograms(reportOnStderr))["crane"] ?? "";
  const started = await startRegistry();
  registry = started.process;
  owner = `localhost:${started.port}/acme`;
});
after(() => {
  registry?.kill();
  rmSync(folder, { recursive: true });
});

async function startRegistry(): Promise<{ process: ChildProcess; port: string }> {
  const args = ["registry", "serve", "--address", "127.0.0.1:0"];
  const process = spawn(crane, args, { stdio: ["ignore", "ignore", "pipe"] });
  const printed: string[] = [];
  for await (const line of createInterface({ input: process.stderr })) {
    printed.push(line);
    const port = /serving on port (\d+)/.exec(line)?.[1];
    if (port === undefined) continue;
    process.stderr.resume();
    return { process, port };
  }
  throw new Error(`crane registry serve ended: ${printed.join("\n")}`);
}

/** Runs a step as a maintainer does. */
function step(...args: readonly string[]): Promise<string> {
  const options = ["--registry", owner, "--repository", "Acme/ml-op", "--output", output, "--plain-http"];
  return succeeded(process.execPath, [join(root, "scripts/release.ts"), ...args, ...options], {
    cwd: root,
    env: { ...process.env, SOURCE_DATE_EPOCH: "1800000000" },
  });
}

const digests = (): Readonly<Record<string, string>> => JSON.parse(readFileSync(join(output, "digests.json"), "utf8"));
const digestOf = (text: string) => `sha256:${createHash("sha256").update(text).digest("hex")}`;
const images = () => releaseImages(releaseOf({ repository: "Acme/ml-op", registry: owner, output }));

/** Writes an archive as `docker save` does, with one layer. */
async function writeImage(path: string, architecture: string, content: string): Promise<void> {
  const image = mkdtempSync(join(folder, "image-"));
  writeFileSync(join(image, "content"), content);
  await succeeded("tar", ["-cf", join(image, "layer.tar"), "-C", image, "content"]);
  const rootfs = { type: "layers", diff_ids: [`sha256:${await sha256(join(image, "layer.tar"))}`] };
  writeFileSync(join(image, "config.json"), JSON.stringify({ architecture, os: "linux", config: {}, rootfs }));
  const manifest = [{ Config: "config.json", RepoTags: [], Layers: ["layer.tar"] }];
  writeFileSync(join(image, "manifest.json"), JSON.stringify(manifest));
  await succeeded("tar", ["-cf", path, "-C", image, "manifest.json", "config.json", "layer.tar"]);
}

describe("a release to a registry", { concurrency: false }, () => {
  test("joins the images of two architectures, and stores the digests of the indexes", async () => {
    const archives = join(folder, "archives");
    mkdirSync(archives);
    for (const { name, tag } of images())
      for (const architecture of ["amd64", "arm64"])
        await writeImage(join(archives, `${name}-${tag}-${architecture}.tar`), architecture, `${name} ${tag}`);
    await step("images", "--archives", archives, "--architecture", "amd64,arm64");
    await step("index", "--architecture", "amd64,arm64");
    assert.deepEqual(
      Object.keys(digests()).sort(),
      images()
        .map(({ name, tag }) => `${name}:${tag}`)
        .sort(),
    );
    for (const [name, digest] of Object.entries(digests())) {
      const pulled = await succeeded(crane, ["manifest", `${owner}/${name}`]);
      assert.equal(digestOf(pulled), digest, name);
      const { manifests }: { manifests: readonly { platform: { architecture: string } }[] } = JSON.parse(pulled);
      assert.deepEqual(
        manifests.map(({ platform }) => platform.architecture),
        ["amd64", "arm64"],
      );
    }
  });

  test("the pulled image has the content of the archive", async () => {
    const name = `mlflow-server@${digests()["mlflow-server:3.17.2"]}`;
    const archive = join(folder, "pulled.tar");
    await succeeded(crane, ["export", "--platform", "linux/arm64", `${owner}/${name}`, archive]);
    assert.equal(await succeeded("tar", ["-xOf", archive, "content"]), "mlflow-server 3.17.2");
  });

  test("the pulled chart is the pushed package, and renders as the source does with the images of the release", async () => {
    await step("chart");
    await step("push-chart");
    const name = `charts/mlflow-operator:${version}`;
    assert.equal((await succeeded(crane, ["digest", `${owner}/${name}`])).trim(), digests()[name]);
    const args = [
      "pull",
      `oci://${owner}/charts/mlflow-operator`,
      "--version",
      version,
      "--plain-http",
      "--destination",
      folder,
    ];
    const { code, stderr } = await helm(args);
    assert.equal(code, 0, stderr);
    const pulled = join(folder, `mlflow-operator-${version}.tgz`);
    assert.equal(await sha256(pulled), await sha256(join(output, `mlflow-operator-${version}.tgz`)));

    const [host = "", path = ""] = owner.split("/");
    const values = {
      image: { registry: host, repository: `${path}/mlflow-operator`, digest: digests()[`mlflow-operator:${version}`] },
      mlflowImage: {
        registry: host,
        repository: `${path}/mlflow-server`,
        digests: Object.fromEntries(supportedVersions.map((each) => [each, digests()[`mlflow-server:${each}`]])),
      },
    };
    writeFileSync(join(folder, "values.json"), JSON.stringify(values));
    assert.deepEqual(await rendered(pulled), await rendered(chart, "--values", join(folder, "values.json")));
    const metadata = await helm(["show", "chart", pulled]);
    assert.ok(metadata.stdout.includes("home: https://github.com/Acme/ml-op\n"), metadata.stdout);
  });

  test("install.yaml has the objects of the pulled chart, and names all images by digest", async () => {
    await step("manifests");
    const text = readFileSync(join(output, "install.yaml"), "utf8");
    const [namespace, ...objects] = objectsOf(text);
    assert.equal(namespace?.kind, "Namespace");
    // The CRDs of the chart have labels of the release in addition.
    const comparable = (object: Rendered) =>
      object.kind === "CustomResourceDefinition" ? { kind: object.kind, spec: object["spec"] } : withoutHelm(object);
    const byName = (all: readonly Rendered[]) =>
      Object.fromEntries(all.map((each) => [`${each.kind} ${each.metadata.name}`, comparable(each)]));
    const ofChart = await rendered(join(folder, `mlflow-operator-${version}.tgz`));
    assert.deepEqual(byName(objects), byName(ofChart));
    const used = [...text.matchAll(/(?:^ +image: |=)(\S+)\/mlflow-(\S+)$/gm)].map(([line]) => line.trim());
    assert.ok(
      used.includes(`image: ${owner}/mlflow-operator@${digests()[`mlflow-operator:${version}`]}`),
      used.join("\n"),
    );
    assert.doesNotMatch(text, /ghcr\.io\/mlflow-operator/);
  });

  test("the checksums and the provenance have all files and pushed artifacts", async () => {
    await step("bundle");
    await step("sbom");
    await step("checksums");
    const lines = readFileSync(join(output, "checksums.txt"), "utf8");
    assert.match(await succeeded("sha256sum", ["--check", "checksums.txt"], { cwd: output }), /install\.yaml: OK/);
    const { subject }: { subject: readonly { name: string; digest: { sha256: string } }[] } = JSON.parse(
      readFileSync(join(output, "provenance.intoto.json"), "utf8"),
    );
    const files = lines
      .trim()
      .split("\n")
      .map((line) => line.split("  ")[1]);
    const pushed = Object.keys(digests()).map((name) => `${owner}/${name}`);
    assert.deepEqual(subject.map(({ name }) => name).sort(), [...files, ...pushed].sort());
    const annotations = readFileSync(join(output, "bundle/metadata/annotations.yaml"), "utf8");
    assert.ok(load(annotations));
  });

  test("the same source gives the same files", async () => {
    const before = readFileSync(join(output, "checksums.txt"), "utf8");
    for (const name of ["manifests", "bundle", "sbom", "checksums"]) await step(name);
    assert.equal(readFileSync(join(output, "checksums.txt"), "utf8"), before);
  });
});

async function rendered(folderOrPackage: string, ...more: readonly string[]) {
  const args = ["template", releaseName, folderOrPackage, "--namespace", releaseName, ...more];
  const { code, stdout, stderr } = await helm(args);
  assert.equal(code, 0, stderr);
  return objectsOf(stdout);
}
