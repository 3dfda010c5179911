import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { changesOf, releasedChangelog, sectionsOf, upgradeNotesOf } from "../../scripts/release/changelog.ts";
import { releaseNotes } from "../../scripts/release/notes.ts";
import { releaseOf } from "../../scripts/release/release.ts";

const changelog = `# Changelog

## Unreleased

- A field is new,
  on two lines.
- Another change.

### Upgrade notes

Write \`new\` in place of \`old\`.

## 0.1.0 (2026-11-30)

- The first release.

### Upgrade notes

This is the first release.
`;

describe("the changelog", () => {
  test("Unreleased becomes the version, with its changes and upgrade notes", () => {
    const released = releasedChangelog(changelog, "0.2.0", "2026-12-01");
    assert.match(released, /^## Unreleased\n\n## 0\.2\.0 \(2026-12-01\)\n\n- A field/m);
    const [unreleased, section, former] = sectionsOf(released);
    assert.deepEqual([unreleased?.text, section?.title, former?.title], ["", "0.2.0", "0.1.0"]);
    assert.ok(section);
    assert.deepEqual(changesOf(section), ["A field is new, on two lines.", "Another change."]);
    assert.equal(upgradeNotesOf(section), "Write `new` in place of `old`.");
  });

  test("a version without changes, without upgrade notes or released before is rejected", () => {
    const once = releasedChangelog(changelog, "0.2.0", "2026-12-01");
    assert.throws(() => releasedChangelog(once, "0.3.0", "2026-12-02"), /nothing to release/);
    assert.throws(() => releasedChangelog(changelog, "0.1.0", "2026-12-02"), /already has version 0\.1\.0/);
    const withoutNotes = changelog.replace("### Upgrade notes\n\nWrite", "Write");
    assert.throws(() => releasedChangelog(withoutNotes, "0.2.0", "2026-12-02"), /no "### Upgrade notes"/);
  });

  test("the project's changelog can be released", () => {
    const text = readFileSync(join(import.meta.dirname, "../../CHANGELOG.md"), "utf8");
    assert.ok(sectionsOf(releasedChangelog(text, "99.0.0", "2099-01-01")).some(({ title }) => title === "99.0.0"));
  });

  test("the notes of a release have the upgrade notes first, the digests, and how to verify them", () => {
    const digest = `sha256:${"1".repeat(64)}`;
    const release = {
      ...releaseOf({ repository: "Acme/ml-op" }, { "mlflow-operator:0.2.0": digest }),
      version: "0.2.0",
    };
    const notes = releaseNotes(release, releasedChangelog(changelog, "0.2.0", "2026-12-01"));
    assert.match(notes, /^## Upgrade notes\n\nWrite `new` in place of `old`\.\n\n## Changes\n\n- A field/);
    assert.ok(notes.includes(`| \`ghcr.io/acme/mlflow-operator:0.2.0\` | \`${digest}\` |`));
    assert.ok(notes.includes("oci://ghcr.io/acme/charts/mlflow-operator --version 0.2.0"));
    assert.ok(notes.includes("https://github.com/Acme/ml-op/.github/workflows/release.yml@refs/tags/v0.2.0"));
    assert.throws(() => releaseNotes(release, changelog), /has no version 0\.2\.0/);
  });
});
