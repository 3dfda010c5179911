import { caFileVolume, keyFiles, type Mounted } from "../features/common/mounted-volume.ts";
import type { Collector } from "./collector.ts";

/** Keys of the Secret with the credential; the files have the same names. */
export const credentialKeys = {
  Password: ["username", "password"],
  ClientCredentials: ["client-id", "client-secret"],
} as const;

export const credentialPath = "/etc/otelcol/credential";

/** The files of a collector. Secrets are in files, which it watches, and not in its configuration. */
export const collectorFiles = {
  config: "/etc/otelcol/config/config.yaml",
  username: `${credentialPath}/username`,
  password: `${credentialPath}/password`,
  clientId: `${credentialPath}/client-id`,
  clientSecret: `${credentialPath}/client-secret`,
  token: "/var/run/secrets/mlflow/token",
  serverCa: "/etc/otelcol/ca/server/ca.crt",
  issuerCa: "/etc/otelcol/ca/issuer/ca.crt",
} as const;

/** The volumes with these files. */
export function collectorMounts(collector: Collector): Mounted[] {
  const { name, credential, serverCa } = collector;
  const config = caFileVolume("config", { configMapRef: { name, key: "config.yaml" } }, collectorFiles.config);
  return [
    config,
    ...credentialFiles(collector),
    ...(serverCa === undefined
      ? []
      : [caFileVolume("ca-server", { configMapRef: { name: serverCa } }, collectorFiles.serverCa)]),
    ...(credential.kind === "ClientCredentials" && credential.ca !== undefined
      ? [caFileVolume("ca-issuer", credential.ca, collectorFiles.issuerCa)]
      : []),
  ];
}

function credentialFiles({ credential, secretName }: Collector): Mounted[] {
  switch (credential.kind) {
    case "None":
      return [];
    case "Password":
    case "ClientCredentials": {
      const files = Object.fromEntries(credentialKeys[credential.kind].map((key) => [key, key]));
      return [keyFiles("credential", secretName, credentialPath, files)];
    }
    case "ServiceAccountToken":
      return [projectedToken(credential.audience)];
  }
}

/** The kubelet renews the token before it expires, and the collector reads it again. */
function projectedToken(audience: string | undefined): Mounted {
  const [directory, path] = ["/var/run/secrets/mlflow", "token"];
  const serviceAccountToken = { path, expirationSeconds: 3600, ...(audience !== undefined && { audience }) };
  return {
    volume: { name: "token", projected: { defaultMode: 0o440, sources: [{ serviceAccountToken }] } },
    mounts: [{ name: "token", mountPath: directory, readOnly: true }],
  };
}
