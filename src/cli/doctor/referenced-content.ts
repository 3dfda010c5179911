import { X509Certificate } from "node:crypto";
import type { MlflowServer } from "../../api/server.ts";
import { unsupportedFields } from "../../api/unsupported-fields.ts";
import { type Reference, secretReference } from "../../features/common/reference.ts";
import { referencesOf } from "../../features/references.ts";
import type { ApiClient } from "../../kube/client/api-client.ts";
import { decoded } from "../../kube/data.ts";
import { excerpt } from "../../kube/excerpt.ts";
import { resourcePath } from "../../kube/kinds.ts";
import type { ConfigMap, Secret } from "../../kube/manifests.ts";
import { dataKeys, objectNames } from "../../model/names.ts";
import { type Read, readObject } from "../live/read.ts";
import type { CertificateFacts, ReferenceFacts } from "./facts.ts";

/** What was read of the Secrets and ConfigMaps of a server. */
export interface ReferencedContent {
  readonly references: Read<readonly ReferenceFacts[]>;
  /** The CA bundles among them, in PEM. */
  readonly caBundles: readonly string[];
  /** The data of the Secrets, if it was requested. */
  readonly secrets: readonly SecretData[];
  /** Why Secrets among them were not read. */
  readonly notRead: readonly string[];
}

/** Data of a Secret as text, by key. */
export type SecretData = Readonly<Record<string, string>>;

/**
 * Reads the Secrets and ConfigMaps that a spec references. Only their keys and their certificates are returned; with `keepsValues` also the
 * data of these Secrets and of those that the operator generated, so that a caller can remove it from texts.
 */
export async function referencedContent(
  client: ApiClient,
  server: MlflowServer,
  keepsValues: boolean,
): Promise<ReferencedContent> {
  const { name, namespace } = server.metadata;
  const caBundles: string[] = [];
  const secrets: SecretData[] = [];
  const references: ReferenceFacts[] = [];
  const generated = keepsValues
    ? [objectNames.admin(name), objectNames.session(name), objectNames.store(name), objectNames.authConfig(name)]
    : [];
  const notRead: string[] = [];
  for (const secret of generated) {
    const found = await read(client, { kind: "Secret", name: secret }, namespace, secrets);
    if ("notRead" in found) notRead.push(found.notRead);
  }
  const unsupported = unsupportedText(server);
  if (unsupported !== undefined)
    return { references: { notRead: unsupported }, caBundles, secrets, notRead: [...notRead, unsupported] };
  for (const reference of [...referencesOf(server.spec), ...otherReferences(server)]) {
    const { kind, name: object, keys, path, optional, isCaBundle } = reference;
    const found = await read(client, { kind, name: object }, namespace, keepsValues ? secrets : undefined);
    if ("notRead" in found && kind === "Secret") notRead.push(found.notRead);
    const known = { kind, name: object, keys, path, optional };
    if ("notRead" in found || found.value === undefined) {
      references.push({ ...known, content: "notRead" in found ? found : { value: undefined } });
      continue;
    }
    const { data } = found.value;
    const certificateKeys = keys.filter((key) => isCaBundle === true || key === dataKeys.certificate);
    const texts = certificateKeys.map((key) => ({ key, text: data[key] ?? "" }));
    if (isCaBundle) caBundles.push(...texts.map(({ text }) => text));
    references.push({
      ...known,
      content: {
        value: {
          keys: found.value.keys,
          certificates: texts.flatMap(({ key, text }) => certificatesIn(key, text)),
        },
      },
    });
  }
  return {
    references: { value: references },
    caBundles: caBundles.filter((text) => text.includes("CERTIFICATE")),
    secrets,
    notRead: [...new Set(notRead)],
  };
}

/** Why the references of a spec are unknown; undefined if they are known. */
export function unsupportedText({ spec }: MlflowServer): string | undefined {
  const [unsupported] = unsupportedFields("MlflowServer", spec);
  return unsupported && `The spec has what this version of the program does not support: ${excerpt(unsupported)}`;
}

/** References that no pod of the server reads: the certificates of the Ingress, and credentials of registries. */
function otherReferences({ spec }: MlflowServer): Reference[] {
  const certificates = (spec.exposure?.ingress?.tls ?? []).map(({ secretName }, index) =>
    secretReference(secretName, [dataKeys.certificate], `spec.exposure.ingress.tls[${index}].secretName`),
  );
  const images = {
    "spec.image": spec.image,
    "spec.authentication.oauth2Proxy.image": spec.authentication.oauth2Proxy?.image,
  };
  const registries = Object.entries(images).flatMap(([path, image]) =>
    (image?.pullSecrets ?? []).map(({ name }) => secretReference(name, [], `${path}.pullSecrets`)),
  );
  return [...certificates, ...registries];
}

async function read(
  client: ApiClient,
  { kind, name }: Pick<Reference, "kind" | "name">,
  namespace: string,
  secrets: SecretData[] | undefined,
): Promise<Read<{ readonly keys: readonly string[]; readonly data: SecretData } | undefined>> {
  const target = { path: resourcePath(kind, namespace, name), text: `${kind}/${name} in namespace ${namespace}` };
  const found = await readObject<Secret | ConfigMap>(client, target);
  if ("notRead" in found) return found;
  if (found.value === undefined) return { value: undefined };
  const { data = {} } = found.value;
  const binary = "binaryData" in found.value ? Object.keys(found.value.binaryData ?? {}) : [];
  const texts = Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, kind === "Secret" ? (decoded(data, key) ?? "") : value]),
  );
  if (kind === "Secret") secrets?.push(texts);
  return { value: { keys: [...Object.keys(data), ...binary], data: texts } };
}

const pemCertificate = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

function certificatesIn(key: string, text: string): CertificateFacts[] {
  return (text.match(pemCertificate) ?? []).flatMap((pem) => {
    try {
      const { subject, validFrom, validTo } = new X509Certificate(pem);
      return [{ key, subject, validFrom, validTo }];
    } catch {
      return [];
    }
  });
}
