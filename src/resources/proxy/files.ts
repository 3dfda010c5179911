import type { V1Volume } from "@kubernetes/client-node";
import { clusterCaPath, issuerCaPath } from "../../features/authentication/oauth2-proxy.ts";
import { signInPageName } from "../../features/authentication/sign-in-page.ts";
import { keyFiles, type Mounted, secretFiles } from "../../features/common/mounted-volume.ts";
import type { ServerModel } from "../../features/server-model.ts";
import { dataKeys } from "../../model/names.ts";
import type { ProxySettings } from "../../model/proxy-settings.ts";

/** Paths of oauth2-proxy's secrets and CA bundles; arguments contain no secret. */
export const proxyFiles = {
  cookieSecret: `/etc/oauth2-proxy/cookie/${dataKeys.cookieSecret}`,
  clientSecret: "/etc/oauth2-proxy/client/secret",
  issuerCa: issuerCaPath,
  clusterCa: clusterCaPath,
  tls: "/etc/oauth2-proxy/tls",
  pages: "/etc/oauth2-proxy/pages",
} as const;

/** Returns all volumes of oauth2-proxy. */
export function proxyMounts(model: ServerModel, { clientSecret }: ProxySettings): Mounted[] {
  const { names, certificateSecret, addresses } = model;
  return [
    file("proxy-cookie", model.session.secret, dataKeys.cookieSecret, proxyFiles.cookieSecret),
    ...(clientSecret === undefined
      ? []
      : [file("proxy-client", clientSecret.name, clientSecret.key, proxyFiles.clientSecret)]),
    ...model.issuerCaFiles,
    ...(model.authentication.sessionStore?.mounted ?? []),
    ...(certificateSecret === undefined ? [] : [secretFiles("tls", certificateSecret, proxyFiles.tls)]),
    ...(addresses.prefix === ""
      ? []
      : [keyFiles("pages", names.authConfig, proxyFiles.pages, { [signInPageName]: signInPageName })]),
  ];
}

/** Returns one key of a Secret as a file that is updated: in its own directory, because a subPath mount is not updated. */
function file(name: string, secretName: string, key: string, path: string): Mounted {
  const [directory, base] = [path.slice(0, path.lastIndexOf("/")), path.slice(path.lastIndexOf("/") + 1)];
  const volume: V1Volume = { name, secret: { secretName, items: [{ key, path: base }], defaultMode: 0o440 } };
  return { volume, mounts: [{ name, mountPath: directory, readOnly: true }] };
}
