import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { krewManifest } from "../../scripts/release/krew.ts";
import type { Platform } from "../../scripts/release/node-binaries.ts";
import { archiveName, writePlugins } from "../../scripts/release/plugin.ts";
import { releaseOf, root } from "../../scripts/release/release.ts";
import { version } from "../../src/settings.ts";
import { reportOnStderr } from "../control-plane/binaries.ts";
import { completed, succeeded } from "../control-plane/completed.ts";
import { releasePrograms } from "./release-programs.ts";

const platform: Platform = process.arch === "arm64" ? "linux-arm64" : "linux-amd64";
const output = mkdtempSync(join(tmpdir(), "plugin-"));
after(() => rmSync(output, { recursive: true }));

const release = releaseOf({ repository: "Acme/ml-op", output });
const manifest = join(output, "mlflow.yaml");
let programs: Readonly<Record<string, string>> = {};
before(async () => {
  programs = await releasePrograms(reportOnStderr);
  await writePlugins(release, [platform]);
  writeFileSync(manifest, await krewManifest(release, [platform]));
});

describe("the plugin of kubectl", () => {
  test("has a manifest that krew's index accepts", async () => {
    const args = ["-skip-install", "-manifest", manifest];
    const { code, stderr } = await completed(programs["validate-krew-manifest"] ?? "", args);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /structural validation OK/);
  });

  test("krew installs the archive, and the plugin runs without Node, with the name of kubectl's command", async () => {
    const env = { PATH: process.env["PATH"], HOME: output, KREW_ROOT: join(output, "krew") };
    const archive = join(output, archiveName(release, platform));
    const args = ["install", "--no-update-index", "--manifest", manifest, "--archive", archive];
    await succeeded(programs["krew"] ?? "", args, { env });
    const plugin = join(output, "krew/bin/kubectl-mlflow");
    const run = (...more: readonly string[]) => completed(plugin, more, { cwd: root, env: { HOME: output } });
    assert.deepEqual(await run("--version"), { code: 0, stdout: `${version}\n`, stderr: "" });
    assert.match((await run("--help")).stdout, /^Usage: kubectl mlflow /);
    const { code, stderr } = await run("validate", "-R", "examples/");
    assert.equal(code, 0, stderr);
    assert.match(stderr, /\d+ valid, 0 invalid/);
    const rendered = await run("render", "examples/sqlite-quick-start.yaml");
    assert.match(rendered.stdout, /^kind: Deployment$/m, rendered.stderr);
  });

  test("is not built for macOS on another system, which cannot sign it", {
    skip: process.platform === "darwin",
  }, async () => {
    await assert.rejects(writePlugins(release, ["darwin-arm64"]), /is built on macOS, which has codesign/);
  });
});
