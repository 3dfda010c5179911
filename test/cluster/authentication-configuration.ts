import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { places } from "./places.ts";

/** An issuer whose people the API server is to know. */
export interface KnownIssuer {
  readonly url: string;
  readonly audience: string;
  /** PEM of its authority. */
  readonly ca: string;
  /** Before each user and each group of it. */
  readonly prefix: string;
}

/** The API server is started with this file and reads it again when it changes (AuthenticationConfiguration). */
export const authenticationConfigurationPath = join(places.state, "authentication.json");

/** Nobody but who has a certificate or is a ServiceAccount. */
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

/** Whether the cluster's API server has been started with the file: one that was brought up by an earlier state has not. */
export async function readsAuthenticationConfiguration(): Promise<boolean> {
  return (await readFile(authenticationConfigurationPath).catch(() => undefined)) !== undefined;
}
