import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { clusterPaths } from "./cluster-paths.ts";

/** An issuer that the API server trusts. */
export interface KnownIssuer {
  readonly url: string;
  readonly audience: string;
  /** PEM of its CA. */
  readonly ca: string;
  /** The prefix of its users and groups. */
  readonly prefix: string;
}

/** The AuthenticationConfiguration of the API server, which reads it again when it changes. */
export const authenticationConfigurationPath = join(clusterPaths.state, "authentication.json");

/** Writes the configuration. Without issuers only client certificates and ServiceAccounts are authenticated. */
export async function writeAuthenticationConfiguration(issuers: readonly KnownIssuer[] = []): Promise<void> {
  const configuration = {
    apiVersion: "apiserver.config.k8s.io/v1",
    kind: "AuthenticationConfiguration",
    jwt: issuers.map(({ url, audience, ca, prefix }) => ({
      issuer: { url, audiences: [audience], certificateAuthority: ca },
      claimMappings: {
        username: { claim: "sub", prefix },
        groups: { claim: "groups", prefix },
      },
    })),
  };
  const draft = `${authenticationConfigurationPath}.draft`;
  await writeFile(draft, JSON.stringify(configuration));
  await rename(draft, authenticationConfigurationPath);
}

/** Whether the cluster's API server was started with the file; a cluster from an older version of the tests was not. */
export async function readsAuthenticationConfiguration(): Promise<boolean> {
  return (await readFile(authenticationConfigurationPath).catch(() => undefined)) !== undefined;
}
