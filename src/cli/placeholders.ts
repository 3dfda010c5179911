import type { MlflowServer } from "../api/server.ts";
import { administratorOf } from "../features/authentication/index.ts";
import { backendDatabase } from "../features/database/index.ts";
import { referencesOf } from "../features/references.ts";
import { encoded } from "../kube/data.ts";
import type { ConfigMap, Manifest, Secret } from "../kube/manifests.ts";
import { annotation } from "../kube/names.ts";
import type { KubeObject } from "../kube/object.ts";
import { isProxied } from "../model/addresses.ts";
import { routeKinds } from "../model/exposure.ts";
import type { Inputs, Installation, References } from "../model/inputs.ts";
import { meshStepsOf } from "../model/mesh.ts";
import { needsOptIn } from "../model/workspaces.ts";

/** The inputs of the builders, with placeholder texts for everything that is known in a cluster only. */
export function placeholderInputs(server: MlflowServer, installation: Installation): Inputs {
  const generated = (what: string) => `GENERATED-${what}`;
  return {
    server,
    installation,
    references: placeholderReferences(server),
    // The namespaces that opt in are known in a cluster only.
    mesh: new Set(meshStepsOf(server)),
    routes: new Set(routeKinds),
    workspaces: needsOptIn(server.spec) ? [server.spec.workspaces?.default ?? generated("workspace")] : [],
    session: {
      flaskSecretKey: generated("flask-secret-key"),
      kekPassphrase: generated("kek-passphrase"),
      webhookKey: generated("webhook-key"),
      ...(isProxied(server.spec) && { cookieSecret: generated("cookie-secret") }),
    },
    ...(administratorOf(server)?.generated && {
      generatedAdmin: { username: "admin", password: generated("password") },
    }),
  };
}

function placeholderReferences({ metadata, spec }: MlflowServer): References {
  const secrets = new Map<string, Secret>();
  const configMaps = new Map<string, ConfigMap>();
  for (const { kind, name, keys } of referencesOf(spec)) {
    const objectMeta = { name, namespace: metadata.namespace };
    const data = Object.fromEntries(keys.map((key) => [key, `FROM-Secret-${name}-${key}`]));
    if (kind === "ConfigMap") configMaps.set(name, { apiVersion: "v1", kind, metadata: objectMeta, data });
    else {
      const known = secrets.get(name)?.data;
      secrets.set(name, { apiVersion: "v1", kind, metadata: objectMeta, data: { ...known, ...encoded(data) } });
    }
  }
  return { secrets, configMaps };
}

const unknownHash = "0".repeat(10);

/** The manifest as it is printed and compared: data of Secrets as text, hashes that depend on secrets as zeros. */
export function presentable(manifest: Manifest, { spec }: MlflowServer): KubeObject {
  const text = JSON.stringify(withReadableData(manifest), (key, value) =>
    key === annotation.inputs && typeof value === "string" ? "0".repeat(value.length) : value,
  );
  if (!backendDatabase(spec).isIdentityInSecret) return JSON.parse(text);
  return JSON.parse(text.replace(/(-migrate-)[0-9a-f]{10}"/g, `$1${unknownHash}"`));
}

function withReadableData(manifest: Manifest): object {
  if (manifest.kind !== "Secret") return manifest;
  const { data = {}, ...rest } = manifest;
  const stringData = Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, Buffer.from(value, "base64").toString("utf8")]),
  );
  return { ...rest, stringData };
}
