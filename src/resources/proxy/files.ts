import type { V1Volume } from "@kubernetes/client-node";
import { oidcCaFiles } from "../authentication/oidc-ca.ts";
import { externalAddressOf } from "../exposure.ts";
import type { Inputs } from "../inputs.ts";
import { dataKeys, objectNames } from "../names.ts";
import { caFileVolume, keyFiles, type Mounted, secretFiles } from "../pod/mounted-volume.ts";
import { caReferences, configMapReference, type Reference, secretReference } from "../reference.ts";
import { sessionMounts, sessionReferences } from "./redis.ts";
import { signInPageName } from "./sign-in-page.ts";

/** Where oauth2-proxy finds what is secret or verified; no value of it stands in its arguments. */
export const proxyFiles = {
  cookieSecret: `/etc/oauth2-proxy/cookie/${dataKeys.cookieSecret}`,
  clientSecret: "/etc/oauth2-proxy/client/secret",
  issuerAuthority: "/etc/oauth2-proxy/ca/issuer/ca.crt",
  clusterAuthority: "/etc/oauth2-proxy/ca/cluster/ca.crt",
  tls: "/etc/oauth2-proxy/tls",
  pages: "/etc/oauth2-proxy/pages",
} as const;

/** The ConfigMap that Kubernetes keeps in every namespace, with the API server's authority. */
const clusterAuthority = { name: "kube-root-ca.crt", key: "ca.crt" };

/** Authorities that issuers are checked against, besides the public ones. */
export function issuerCaFiles({ server }: Pick<Inputs, "server">): Mounted[] {
  const { oidc, oauth2Proxy: proxy } = server.spec.authentication;
  const { ca, acceptServiceAccountTokens } = proxy ?? {};
  return [
    ...oidcCaFiles(oidc),
    ...(ca === undefined ? [] : [caFileVolume("ca-issuer", ca, proxyFiles.issuerAuthority)]),
    ...(acceptServiceAccountTokens === undefined
      ? []
      : [caFileVolume("ca-cluster", { configMapRef: clusterAuthority }, proxyFiles.clusterAuthority)]),
  ];
}

/** The same as paths. */
export function issuerCaPaths(inputs: Pick<Inputs, "server">): string[] {
  return issuerCaFiles(inputs).flatMap(({ mounts }) => mounts.map(({ mountPath }) => `${mountPath}/ca.crt`));
}

/** Everything that oauth2-proxy has as files. */
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

/** The Secrets and ConfigMaps that the proxy needs. */
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
      : [configMapReference(clusterAuthority.name, [clusterAuthority.key], `${path}.acceptServiceAccountTokens`)]),
    ...(own ? [secretReference(own.name, [dataKeys.cookieSecret], "spec.server.sessionSecretRef")] : []),
  ];
}

/** One key of a Secret as a file that follows its changes: a directory of its own, since a single file would not. */
function file(name: string, secretName: string, key: string, path: string): Mounted {
  const [directory, base] = [path.slice(0, path.lastIndexOf("/")), path.slice(path.lastIndexOf("/") + 1)];
  const volume: V1Volume = { name, secret: { secretName, items: [{ key, path: base }], defaultMode: 0o440 } };
  return { volume, mounts: [{ name, mountPath: directory, readOnly: true }] };
}
