import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { issueAuthority, issueCertificate } from "../../control-plane/certificates.ts";

/** In PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
  /** The authority that signed it, and nothing else. */
  readonly ca: string;
}

/** A certificate for an IP address, by an authority of its own. */
export async function certificateFor(address: string): Promise<Certificate> {
  const directory = await mkdtemp(join(tmpdir(), "mlflow-operator-issuer-"));
  try {
    const [authority, stem] = [join(directory, "ca"), join(directory, "issuer")];
    await issueAuthority(authority, "oidc-issuer");
    const alternativeNames = [`IP:${address}`, "DNS:localhost", "DNS:host.cluster.internal"];
    await issueCertificate(authority, stem, { name: "oidc-issuer", alternativeNames });
    const [ca, cert, key] = await Promise.all([`${authority}.crt`, `${stem}.crt`, `${stem}.key`].map(text));
    if (ca === undefined || cert === undefined || key === undefined)
      throw new Error("openssl has made no certificate.");
    return { ca, cert, key };
  } finally {
    await rm(directory, { recursive: true });
  }
}

function text(path: string): Promise<string> {
  return readFile(path, "utf8");
}
