import { newCa, newCertificate } from "../../control-plane/certificates.ts";

/** In PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
  /** The CA certificate that signed it. */
  readonly ca: string;
}

/** Returns a certificate for an IP address, with its own CA. */
export async function certificateFor(address: string): Promise<Certificate> {
  const issuingCa = await newCa("oidc-issuer");
  const alternativeNames = [`IP:${address}`, "DNS:localhost", "DNS:host.cluster.internal"];
  const { certificate, key } = await newCertificate(issuingCa, { name: "oidc-issuer", alternativeNames });
  return { cert: certificate, key, ca: issuingCa.certificate };
}
