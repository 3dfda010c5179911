import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { load } from "js-yaml";
import { verifyArtifact } from "../../scripts/release/cosign.ts";
import { releaseImages } from "../../scripts/release/images.ts";
import { type LocalRegistry, startRegistry } from "../../scripts/release/registry.ts";
import { releaseOf, root } from "../../scripts/release/release.ts";
import { sha256 } from "../../scripts/release/sha256.ts";
import { cosignProgram } from "../../scripts/release/tools.ts";
import { supportedVersions } from "../../src/api/versions.ts";
import { version } from "../../src/settings.ts";
import { controlPlaneBinaries, reportOnStderr } from "../control-plane/binaries.ts";
import { succeeded } from "../control-plane/completed.ts";
import { type ControlPlane, startControlPlane } from "../control-plane/control-plane.ts";
import { eventually } from "../support/eventually.ts";
import { startKubelet } from "../support/kubelet.ts";
import { objects } from "../support/objects.ts";
import { condition, freshNamespace } from "../support/operator-fixture.ts";
import { server } from "../support/servers.ts";
import { withoutHelm } from "./files.ts";
import { chart, helm } from "./helm.ts";
import { chartWith, installation } from "./installation.ts";
import { operatorOf } from "./operator-of.ts";
import { releasePrograms } from "./release-programs.ts";
import { objectsOf, type Rendered, release as releaseName } from "./rendering.ts";

/** A release that is pushed to a registry on the loopback interface, by the commands of docs/releasing.md. */
const folder = mkdtempSync(join(tmpdir(), "release-"));
const output = join(folder, "release");
let crane = "";
let registry: LocalRegistry | undefined;
let cluster: ControlPlane;
let owner = "";
const unavailableReason = await controlPlaneBinaries().then(
  () => undefined,
  (error: unknown) => String(error),
);
before(async () => {
  crane = (await releasePrograms(reportOnStderr))["crane"] ?? "";
  registry = await startRegistry(0);
  owner = `localhost:${registry.port}/acme`;
  if (unavailableReason === undefined) cluster = await startControlPlane();
});
after(async () => {
  registry?.process.kill();
  rmSync(folder, { recursive: true });
  await cluster?.close();
});

/** Runs a step as a maintainer does. */
function step(...args: readonly string[]): Promise<string> {
  const options = ["--registry", owner, "--repository", "Acme/ml-op", "--output", output, "--plain-http"];
  return succeeded(process.execPath, [join(root, "scripts/release.ts"), ...options, ...args], {
    cwd: folder,
    env: { ...process.env, SOURCE_DATE_EPOCH: "1800000000", COSIGN_PASSWORD: "of-tests" },
  });
}

const digests = (): Readonly<Record<string, string>> => JSON.parse(readFileSync(join(output, "digests.json"), "utf8"));
const digestOf = (text: string) => `sha256:${createHash("sha256").update(text).digest("hex")}`;
const release = () => releaseOf({ repository: "Acme/ml-op", registry: owner, output });
const images = () => releaseImages(release());

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
    const provenance = "provenance.intoto.json";
    assert.deepEqual([...subject.map(({ name }) => name), provenance].sort(), [...files, ...pushed].sort());
    const annotations = readFileSync(join(output, "bundle/metadata/annotations.yaml"), "utf8");
    assert.ok(load(annotations));
  });

  test("the same source gives the same files", async () => {
    const before = readFileSync(join(output, "checksums.txt"), "utf8");
    for (const name of ["manifests", "bundle", "sbom", "checksums"]) await step(name);
    assert.equal(readFileSync(join(output, "checksums.txt"), "utf8"), before);
  });
});

describe("the signatures of a release", { concurrency: false }, () => {
  const [key, publicKey] = [join(folder, "cosign.key"), join(folder, "cosign.pub")];
  const signing = { key: publicKey, isOffline: true };
  const verify = (files = output) => step("verify", "--key", publicKey, "--offline", "--output", files);

  test("are made with a key without a service of Sigstore, and verified with everything that was pushed and written", async () => {
    await step("keys");
    await step("sign", "--key", key, "--offline");
    const verified = (await verify()).trim().split("\n");
    const expected = [
      ...readFileSync(join(output, "checksums.txt"), "utf8")
        .trim()
        .split("\n")
        .map((line) => line.slice(66)),
      ...Object.keys(digests()).map((name) => `${owner}/${name}`),
    ];
    assert.deepEqual(verified.sort(), expected.map((name) => `${name}: verified`).sort());
    await assert.rejects(step("sign", "--offline"), /--offline requires --key/);
  });

  test("an image that was replaced is rejected, even with the signatures of the original", async () => {
    const name = `mlflow-operator:${version}`;
    const digest = digests()[name] ?? "";
    const archive = join(folder, "tampered.tar");
    await writeImage(archive, "amd64", "tampered");
    await succeeded(crane, ["push", archive, `${owner}/${name}`]);
    await assert.rejects(verify(), /mlflow-operator:\S+ has the digest sha256:\w+, not sha256:\w+ of the release/);

    const tampered = (await succeeded(crane, ["digest", `${owner}/${name}`])).trim();
    const signaturesOf = (each: string) => `${owner}/mlflow-operator:${each.replace(":", "-")}`;
    const check = (each: string) => verifyArtifact(release(), signing, `${owner}/mlflow-operator@${each}`);
    await assert.rejects(check(tampered), /no signatures found/);
    await succeeded(crane, ["copy", signaturesOf(digest), signaturesOf(tampered)]);
    await assert.rejects(check(tampered), /provided artifact digest does not match any digest in statement/);
    await check(digest);
    await succeeded(crane, ["tag", `${owner}/mlflow-operator@${digest}`, version]);
  });

  test("a chart that was replaced is rejected", async () => {
    const tampered = await chartWith((text) => text.replace("icon: ", "icon: https://evil.example.com/"), "Chart.yaml");
    const packaged = await helm(["package", tampered, "--destination", folder]);
    assert.equal(packaged.code, 0, packaged.stderr);
    const push = async (path: string) => {
      const { code, stderr } = await helm(["push", path, `oci://${owner}/charts`, "--plain-http"]);
      assert.equal(code, 0, stderr);
    };
    await push(join(folder, `mlflow-operator-${version}.tgz`));
    await assert.rejects(
      verify(),
      /charts\/mlflow-operator:\S+ has the digest sha256:\w+, not sha256:\w+ of the release/,
    );
    const digest = digests()[`charts/mlflow-operator:${version}`];
    await succeeded(crane, ["tag", `${owner}/charts/mlflow-operator@${digest}`, version]);
    await verify();
  });

  test("a changed file, changed checksums and the signature of another key are rejected", async () => {
    const tampered = join(folder, "tampered");
    cpSync(output, tampered, { recursive: true });
    const manifest = join(tampered, "install.yaml");
    writeFileSync(manifest, `${readFileSync(manifest, "utf8")}# tampered\n`);
    await assert.rejects(verify(tampered), /install\.yaml has the SHA-256 \w+, not \w+ of checksums\.txt/);
    await step("checksums", "--output", tampered);
    await assert.rejects(verify(tampered), /failed to verify signature/);

    const [other, checksums] = [join(folder, "other"), join(tampered, "checksums.txt")];
    mkdirSync(other);
    const options = { cwd: other, env: { ...process.env, COSIGN_PASSWORD: "of-others" } };
    await succeeded(await cosignProgram(), ["generate-key-pair"], options);
    const args = ["sign-blob", "--yes", "--key", "cosign.key", "--signing-config", join(other, "services.json")];
    writeFileSync(join(other, "services.json"), `{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json"}`);
    await succeeded(await cosignProgram(), [...args, "--bundle", `${checksums}.sigstore.json`, checksums], options);
    await assert.rejects(verify(tampered), /failed to verify signature/);
  });
});

describe("the chart in the registry", { skip: unavailableReason }, () => {
  test("is installed with the images of the release, by digest, and its operator makes a server ready", async () => {
    const own = await installation(cluster);
    await own.run("install", `oci://${owner}/charts/mlflow-operator`, "--version", version, "--plain-http");
    const { spec } = await objects(cluster, own.namespace).the("Deployment", releaseName);
    const imageOf = (name: string, tag: string) => `${owner}/${name}@${digests()[`${name}:${tag}`]}`;
    assert.equal(spec.template.spec?.containers[0]?.image, imageOf("mlflow-operator", version));

    const tenant = objects(cluster, await freshNamespace(cluster));
    const kubelet = startKubelet(cluster, tenant.namespace);
    const operator = await operatorOf(cluster, own);
    try {
      const created = await tenant.create("MlflowServer", server());
      await eventually(async () => {
        const found = await tenant.the("MlflowServer", created.metadata.name);
        assert.equal(condition(found, "Ready").status, "True", JSON.stringify(found.status));
      });
      const { template } = (await tenant.the("Deployment", created.metadata.name)).spec;
      assert.equal(template.spec?.containers[0]?.image, imageOf("mlflow-server", created.spec.version ?? ""));
    } finally {
      await operator.stop();
      await kubelet.stop();
    }
  });
});

async function rendered(folderOrPackage: string, ...more: readonly string[]) {
  const args = ["template", releaseName, folderOrPackage, "--namespace", releaseName, ...more];
  const { code, stdout, stderr } = await helm(args);
  assert.equal(code, 0, stderr);
  return objectsOf(stdout);
}
