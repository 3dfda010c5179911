import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { newCa, newCertificate } from "../../test/control-plane/certificates.ts";
import { freePort } from "../../test/control-plane/free-port.ts";
import { connected } from "./connected.ts";
import { startContainer, stopProcess } from "./container.ts";
import { rootFileSystem } from "./root-file-system.ts";

/** An LDAP directory on loopback with the users of test/cluster/images/slapd/directory.ldif. */
export interface Directory {
  readonly port: number;
  /** PEM of the CA of its certificate. */
  readonly ca: string;
  readonly close: () => Promise<void>;
}

export const directoryUrl = (port: number) => `ldaps://127.0.0.1:${port}/dc=mlflow,dc=test`;

/** As the entry point of the image, on a free port of loopback. */
const script = `cd /var/lib/slapd
umask 077
mkdir -p data
slapadd -q -f /etc/ldap/slapd.conf -l /etc/ldap/directory.ldif
exec slapd -d 0 -f /etc/ldap/slapd.conf -h "$URL"`;

export async function startDirectory(folder: string, say: (line: string) => void): Promise<Directory> {
  const root = await rootFileSystem("slapd", say);
  const port = await freePort();
  const issuingCa = await newCa("CA of the directory");
  const names = { name: "slapd", alternativeNames: ["IP:127.0.0.1"] };
  const { certificate, key } = await newCertificate(issuingCa, names);
  await mkdir(folder, { recursive: true });
  const files = {
    root,
    folder,
    secrets: [],
    files: { data: { "tls.crt": certificate, "tls.key": key } },
    env: { URL: `ldaps://127.0.0.1:${port}` },
  };
  const child = await startContainer(
    files,
    { containers: [] },
    {
      name: "slapd",
      command: ["bash", "-euc", script],
      volumeMounts: [{ name: "data", mountPath: "/var/lib/slapd" }],
    },
  );
  await connected(port, child, join(folder, "slapd.log"));
  return { port, ca: issuingCa.certificate, close: () => stopProcess(child) };
}
