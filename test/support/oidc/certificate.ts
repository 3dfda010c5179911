import { newAuthority, newCertificate } from "../../control-plane/certificates.ts";

/** In PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
  /** The authority that signed it, and nothing else. */
  readonly ca: string;
}

/** A certificate for an IP address, by an authority of its own. */
export async function certificateFor(address: string): Promise<Certificate> {
  const authority = await newAuthority("oidc-issuer");
  const alternativeNames = [`IP:${address}`, "DNS:localhost", "DNS:host.cluster.internal"];
  const { certificate, key } = await newCertificate(authority, { name: "oidc-issuer", alternativeNames });
  return { cert: certificate, key, ca: authority.certificate };
}
