import type { V1Volume } from "@kubernetes/client-node";
import { caFileVolume, keyFiles, type Mounted, secretFiles } from "../../features/common/mounted-volume.ts";
import { caReferences, configMapReference, type Reference, secretReference } from "../../features/common/reference.ts";
import { externalAddressOf } from "../../model/exposure.ts";
import type { Inputs } from "../../model/inputs.ts";
import { dataKeys, objectNames } from "../../model/names.ts";
import { oidcCaFiles } from "../authentication/oidc-ca.ts";
import { sessionMounts, sessionReferences } from "./redis.ts";
import { signInPageName } from "./sign-in-page.ts";

/** Paths of oauth2-proxy's secrets and CA bundles; arguments contain no secret. */
export const proxyFiles = {
  cookieSecret: `/etc/oauth2-proxy/cookie/${dataKeys.cookieSecret}`,
  clientSecret: "/etc/oauth2-proxy/client/secret",
  issuerCa: "/etc/oauth2-proxy/ca/issuer/ca.crt",
  clusterCa: "/etc/oauth2-proxy/ca/cluster/ca.crt",
  tls: "/etc/oauth2-proxy/tls",
  pages: "/etc/oauth2-proxy/pages",
} as const;

/** The ConfigMap in every namespace with the API server's CA bundle. */
const clusterCa = { name: "kube-root-ca.crt", key: "ca.crt" };

/** Returns the CA bundles for issuers, in addition to public CAs. */
export function issuerCaFiles({ server }: Pick<Inputs, "server">): Mounted[] {
  const { oidc, oauth2Proxy: proxy } = server.spec.authentication;
  const { ca, acceptServiceAccountTokens } = proxy ?? {};
  return [
    ...oidcCaFiles(oidc),
    ...(ca === undefined ? [] : [caFileVolume("ca-issuer", ca, proxyFiles.issuerCa)]),
    ...(acceptServiceAccountTokens === undefined
      ? []
      : [caFileVolume("ca-cluster", { configMapRef: clusterCa }, proxyFiles.clusterCa)]),
  ];
}

/** Returns the paths of these CA bundles. */
export function issuerCaPaths(inputs: Pick<Inputs, "server">): string[] {
  return issuerCaFiles(inputs).flatMap(({ mounts }) => mounts.map(({ mountPath }) => `${mountPath}/ca.crt`));
}

/** Returns all volumes of oauth2-proxy. */
export function proxyMounts({ server }: Pick<Inputs, "server">): Mounted[] {
  const { authentication, server: settings } = server.spec;
  const { oauth2Proxy: proxy } = authentication;
  const sessionSecret = settings?.sessionSecretRef?.name ?? objectNames.session(server.metadata.name);
  const { clientSecretRef: clientSecret } = proxy ?? {};
  return [
    file("proxy-cookie", sessionSecret, dataKeys.cookieSecret, proxyFiles.cookieSecret),
    ...(clientSecret === undefined
      ? []
      : [file("proxy-client", clientSecret.name, clientSecret.key, proxyFiles.clientSecret)]),
    ...issuerCaFiles({ server }),
    ...sessionMounts(proxy?.session?.redis),
    ...(settings?.tls === undefined
      ? []
      : [secretFiles("tls", settings.tls.certificateSecretRef.name, proxyFiles.tls)]),
    ...((externalAddressOf(server)?.prefix ?? "") === ""
      ? []
      : [
          keyFiles("pages", objectNames.authConfig(server.metadata.name), proxyFiles.pages, {
            [signInPageName]: signInPageName,
          }),
        ]),
  ];
}

/** Returns the Secrets and ConfigMaps that oauth2-proxy references. */
export function proxyReferences({ authentication, server }: Inputs["server"]["spec"]): Reference[] {
  const { oauth2Proxy: proxy } = authentication;
  if (proxy === undefined) return [];
  const { clientSecretRef: clientSecret, ca, acceptServiceAccountTokens, session } = proxy;
  const path = "spec.authentication.oauth2Proxy";
  const own = server?.sessionSecretRef;
  return [
    ...(clientSecret === undefined
      ? []
      : [{ ...secretReference(clientSecret.name, [clientSecret.key], `${path}.clientSecretRef`), isReread: true }]),
    ...caReferences(ca, `${path}.ca`),
    ...sessionReferences(session?.redis),
    ...(acceptServiceAccountTokens === undefined
      ? []
      : [configMapReference(clusterCa.name, [clusterCa.key], `${path}.acceptServiceAccountTokens`)]),
    ...(own ? [secretReference(own.name, [dataKeys.cookieSecret], "spec.server.sessionSecretRef")] : []),
  ];
}

/** Returns one key of a Secret as a file that is updated: in its own directory, because a subPath mount is not updated. */
function file(name: string, secretName: string, key: string, path: string): Mounted {
  const [directory, base] = [path.slice(0, path.lastIndexOf("/")), path.slice(path.lastIndexOf("/") + 1)];
  const volume: V1Volume = { name, secret: { secretName, items: [{ key, path: base }], defaultMode: 0o440 } };
  return { volume, mounts: [{ name, mountPath: directory, readOnly: true }] };
}
