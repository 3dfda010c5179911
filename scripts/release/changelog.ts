/** One version of CHANGELOG.md. */
export interface Section {
  /** `Unreleased`, or the version. */
  readonly title: string;
  /** Without the heading. */
  readonly text: string;
}

const upgradeHeading = "### Upgrade notes";

/** The versions of a changelog, the newest first. */
export function sectionsOf(changelog: string): readonly Section[] {
  return changelog
    .split(/^## /m)
    .slice(1)
    .map((part) => {
      const [heading = "", ...lines] = part.split("\n");
      return { title: heading.replace(/ \(.*\)$/, "").trim(), text: lines.join("\n").trim() };
    });
}

/** The changelog with a version in place of Unreleased. Throws if it has nothing to release or no upgrade notes. */
export function releasedChangelog(changelog: string, version: string, date: string): string {
  const sections = sectionsOf(changelog);
  if (sections.some(({ title }) => title === version)) throw new Error(`CHANGELOG.md already has version ${version}.`);
  const unreleased = sections.find(({ title }) => title === "Unreleased");
  if (!unreleased || changesOf(unreleased).length === 0)
    throw new Error('CHANGELOG.md has no changes under "## Unreleased": there is nothing to release.');
  if (!unreleased.text.includes(upgradeHeading))
    throw new Error(
      `CHANGELOG.md has no "${upgradeHeading}" at the end of "## Unreleased": describe what users must do to upgrade, or that no action is required.`,
    );
  return changelog.replace("## Unreleased\n", `## Unreleased\n\n## ${version} (${date})\n`);
}

/** The entries of a section, each on one line, without the upgrade notes. */
export function changesOf(section: Section): readonly string[] {
  return withoutUpgradeNotes(section)
    .split(/^- /m)
    .slice(1)
    .map((entry) => entry.replaceAll(/\s+/g, " ").trim());
}

/** The upgrade notes of a section, without their heading. */
export function upgradeNotesOf({ text }: Section): string {
  return (
    partsOf(text)
      .find((part) => part.startsWith(upgradeHeading))
      ?.slice(upgradeHeading.length)
      .trim() ?? ""
  );
}

/** The changes of a section as Markdown. */
export function withoutUpgradeNotes({ text }: Section): string {
  return partsOf(text)
    .filter((part) => !part.startsWith(upgradeHeading))
    .join("")
    .trim();
}

const partsOf = (text: string) => text.split(/^(?=### )/m);
