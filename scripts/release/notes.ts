import { sectionsOf, upgradeNotesOf, withoutUpgradeNotes } from "./changelog.ts";
import type { Release } from "./release.ts";

/** The text of the release on GitHub: upgrade notes, changes, how to install it and how to verify it. */
export function releaseNotes(release: Release, changelog: string): string {
  const { version, registry, repository, digests } = release;
  const section = sectionsOf(changelog).find(({ title }) => title === version);
  if (section === undefined)
    throw new Error(`CHANGELOG.md has no version ${version}: run "npm run release -- version ${version}" first.`);
  const chart = `${registry}/charts/mlflow-operator`;
  const pushed = Object.entries(digests).map(([name, digest]) => `| \`${registry}/${name}\` | \`${digest}\` |`);
  return `## Upgrade notes

${upgradeNotesOf(section)}

## Changes

${withoutUpgradeNotes(section)}

## Install

\`\`\`
helm upgrade --install mlflow-operator oci://${chart} --version ${version} --namespace mlflow-operator --create-namespace
\`\`\`

or \`kubectl apply --server-side -f https://github.com/${repository}/releases/download/v${version}/install.yaml\`

${pushed.length === 0 ? "" : `| artifact | digest |\n|---|---|\n${pushed.join("\n")}\n\n`}## Verify

\`\`\`
cosign verify ${registry}/mlflow-operator:${version} \\
  --certificate-identity https://github.com/${repository}/.github/workflows/release.yml@refs/tags/v${version} \\
  --certificate-oidc-issuer https://token.actions.githubusercontent.com
cosign verify-blob checksums.txt --bundle checksums.txt.sigstore.json \\
  --certificate-identity https://github.com/${repository}/.github/workflows/release.yml@refs/tags/v${version} \\
  --certificate-oidc-issuer https://token.actions.githubusercontent.com
sha256sum --check --ignore-missing checksums.txt
\`\`\`
`;
}
