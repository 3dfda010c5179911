import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { nodePackages, nodeVersion } from "../../scripts/release/node-binaries.ts";
import { checksums, provenance } from "../../scripts/release/provenance.ts";
import { imageReference, releaseOf, root, withNamesOf } from "../../scripts/release/release.ts";
import { sboms } from "../../scripts/release/sbom.ts";
import { compareVersions, versionFiles } from "../../scripts/release/version.ts";
import { supportedVersions } from "../../src/api/versions.ts";
import { version } from "../../src/settings.ts";

const folder = mkdtempSync(join(tmpdir(), "release-"));
after(() => rmSync(folder, { recursive: true }));

const release = releaseOf({ repository: "Acme/ml-op", output: folder });

describe("a release", () => {
  test("publishes in the registry of the repository's owner, in lower case", () => {
    assert.equal(release.registry, "ghcr.io/acme");
    assert.equal(releaseOf({ repository: "a/b", registry: "localhost:5000/mlops" }).registry, "localhost:5000/mlops");
    for (const registry of ["ghcr.io", "https://ghcr.io/acme", "ghcr.io/Acme", "ghcr.io/acme/"])
      assert.throws(() => releaseOf({ repository: "a/b", registry }), /is not a host with a path/, registry);
    assert.throws(() => releaseOf({ repository: "ml-op" }), /is not the name of a GitHub repository/);
  });

  test("replaces the names of the project in texts", () => {
    const text = readFileSync(join(root, "charts/mlflow-operator/Chart.yaml"), "utf8");
    const replaced = withNamesOf(release, text);
    assert.ok(replaced.includes(`icon: https://raw.githubusercontent.com/Acme/ml-op/v${version}/docs/images/icon.svg`));
    assert.ok(replaced.includes(`image: ghcr.io/acme/mlflow-operator:${version}`));
    assert.doesNotMatch(replaced, /mlflow-operator\/mlflow-/);
  });

  test("names images by digest once they are pushed", () => {
    const digest = `sha256:${"0".repeat(64)}`;
    const pushed = { ...release, digests: { "mlflow-server:3.17.2": digest } };
    assert.equal(imageReference(pushed, "mlflow-server", "3.17.2"), `ghcr.io/acme/mlflow-server@${digest}`);
    assert.equal(imageReference(pushed, "mlflow-server", "3.17.1"), "ghcr.io/acme/mlflow-server:3.17.1");
  });

  test("sets the version of every file that has it", async () => {
    const files = await versionFiles(root, "98.7.6", "2099-01-01");
    assert.deepEqual(Object.keys(files).sort(), [
      "CHANGELOG.md",
      "README.md",
      "charts/mlflow-operator/Chart.yaml",
      "docs/installation.md",
      "package-lock.json",
      "package.json",
    ]);
    for (const [path, content] of Object.entries(files)) assert.ok(content.includes("98.7.6"), path);
    // The other files with the version are generated, or do not contain the version of the operator.
    const found = execFileSync("git", ["grep", "--name-only", "--fixed-strings", `mlflow-operator:${version}`], {
      cwd: root,
      encoding: "utf8",
    });
    const others = found.split("\n").filter((path) => path !== "" && !(path in files));
    for (const path of others)
      assert.match(path, /^(config\/|test\/(chart\/)?golden\/)/, `${path} has the version: add it to version.ts`);
    await assert.rejects(versionFiles(root, "0.0.1", "2099-01-01"), /older than/);
    await assert.rejects(versionFiles(root, "v1.0.0", "2099-01-01"), /not a semantic version/);
  });

  test("orders versions", () => {
    const versions = ["0.1.0-alpha.1", "0.1.0-rc.1", "0.1.0", "0.1.1", "0.2.0", "0.10.0", "1.0.0"];
    assert.deepEqual(versions.toReversed().sort(compareVersions), versions);
  });

  test("pins the Node of each platform by hash, for the version of package.json", () => {
    const { devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    assert.equal(nodeVersion, devDependencies.node);
    // The hashes are those of this version: change both together.
    assert.equal(nodeVersion, "26.10.0");
    const hashes = Object.values(nodePackages).map(({ integrity }) => integrity);
    assert.equal(new Set(hashes).size, hashes.length);
    for (const hash of hashes) assert.match(hash, /^sha512-[\w+/]{86}==$/);
  });

  test("lists the packages of the operator and of each MLflow image", async () => {
    const documents = await sboms(release, new Date("2026-12-01T00:00:00Z"));
    assert.deepEqual(
      Object.keys(documents).sort(),
      [
        "sbom-mlflow-operator.spdx.json",
        ...supportedVersions.map((each) => `sbom-mlflow-server-${each}.spdx.json`),
      ].sort(),
    );
    for (const [name, document] of Object.entries(documents)) {
      const ids = document.packages.map(({ SPDXID }) => SPDXID);
      assert.equal(new Set(ids).size, ids.length, `${name} has a package twice`);
      for (const id of document.documentDescribes) assert.ok(ids.includes(id));
      for (const { relatedSpdxElement } of document.relationships)
        assert.ok(ids.includes(relatedSpdxElement ?? ""), name);
    }
    const operator = documents["sbom-mlflow-operator.spdx.json"]?.packages.map(({ name }) => name) ?? [];
    const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    for (const name of ["node", ...Object.keys(dependencies)]) assert.ok(operator.includes(name), name);
    assert.ok(!operator.includes("typescript"));
    const server = documents["sbom-mlflow-server-3.17.2.spdx.json"]?.packages ?? [];
    const lock = readFileSync(join(root, "images/mlflow-server/requirements-3.17.2.lock"), "utf8");
    assert.equal(server.length, (lock.match(/^[^\s#-].*==/gm) ?? []).length + 1);
    assert.ok(server.some(({ name, versionInfo }) => name === "mlflow" && versionInfo === "3.17.2"));
  });

  test("writes checksums and a provenance of the same files", async () => {
    writeFileSync(join(folder, "a.txt"), "a");
    writeFileSync(join(folder, "digests.json"), "{}");
    writeFileSync(join(folder, "checksums.txt"), await checksums(release));
    const { status, stdout } = spawnSync("sha256sum", ["--check", "checksums.txt"], { cwd: folder, encoding: "utf8" });
    assert.deepEqual([status, stdout], [0, "a.txt: OK\n"]);
    const digest = `sha256:${"2".repeat(64)}`;
    const statement = await provenance({ ...release, digests: { "mlflow-operator:1.0.0": digest } });
    const { subject, predicateType } = JSON.parse(JSON.stringify(statement));
    assert.equal(predicateType, "https://slsa.dev/provenance/v1");
    assert.deepEqual(
      subject.map(({ name }: { name: string }) => name),
      ["a.txt", "ghcr.io/acme/mlflow-operator:1.0.0"],
    );
    assert.equal(subject[1].digest.sha256, "2".repeat(64));
  });

  test("rejects an unknown step with the usage", () => {
    const { status, stderr } = spawnSync(process.execPath, [join(root, "scripts/release.ts"), "publish"], {
      encoding: "utf8",
    });
    assert.equal(status, 2);
    assert.match(stderr, /^Usage: npm run release -- <step>/);
  });
});
