import "reflect-metadata";
import { createPrivateKey, KeyObject } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type JsonGeneralName,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";

/** In PEM. */
export interface KeyPair {
  readonly certificate: string;
  readonly key: string;
}

/** A certificate and its private key: PEM files `<stem>.crt` and `<stem>.key`. */
export type Stem = string;

export interface Subject {
  readonly name: string;
  readonly groups?: readonly string[];
  /** `IP:127.0.0.1`, `DNS:localhost` or `URI:spiffe://…`. Required for servers. */
  readonly alternativeNames?: readonly string[];
}

const keyAlgorithm = { name: "ECDSA", namedCurve: "P-256" };
const signingAlgorithm = { name: "ECDSA", hash: "SHA-256" };

const newKeys = () => crypto.subtle.generateKey(keyAlgorithm, true, ["sign", "verify"]);
const inDays = (days: number) => new Date(Date.now() + days * 86_400_000);

/** Returns a new certificate authority, valid for ten days. */
export async function newCa(name: string): Promise<KeyPair> {
  const keys = await newKeys();
  const { keyCertSign, cRLSign, digitalSignature } = KeyUsageFlags;
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: [{ CN: [name] }],
    keys,
    signingAlgorithm,
    notBefore: new Date(),
    notAfter: inDays(10),
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(keyCertSign | cRLSign | digitalSignature, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return inPem(certificate, keys.privateKey);
}

/** An intermediate CA certificate, signed by `root`, good for nine days. */
export async function newIntermediate(root: KeyPair, name: string): Promise<KeyPair> {
  const issuer = new X509Certificate(root.certificate);
  const keys = await newKeys();
  const certificate = await X509CertificateGenerator.create({
    subject: [{ CN: [name] }],
    issuer: issuer.subjectName.toJSON(),
    publicKey: keys.publicKey,
    signingKey: createPrivateKey(root.key).toCryptoKey(keyAlgorithm, false, ["sign"]),
    signingAlgorithm,
    notBefore: new Date(),
    notAfter: inDays(9),
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      await AuthorityKeyIdentifierExtension.create(issuer),
    ],
  });
  return inPem(certificate, keys.privateKey);
}

/**
 * Returns a certificate for clients and servers, signed by `issuingCa`, valid for nine days.
 * The API server uses the common name of a client certificate as the user and its organizations as groups.
 */
export async function newCertificate(issuingCa: KeyPair, subject: Subject): Promise<KeyPair> {
  const issuer = new X509Certificate(issuingCa.certificate);
  const keys = await newKeys();
  const certificate = await X509CertificateGenerator.create({
    subject: [...(subject.groups ?? []).map((group) => ({ O: [group] })), { CN: [subject.name] }],
    issuer: issuer.subjectName.toJSON(),
    publicKey: keys.publicKey,
    signingKey: createPrivateKey(issuingCa.key).toCryptoKey(keyAlgorithm, false, ["sign"]),
    signingAlgorithm,
    notBefore: new Date(),
    notAfter: inDays(9),
    extensions: [
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.clientAuth, ExtendedKeyUsage.serverAuth]),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      await AuthorityKeyIdentifierExtension.create(issuer),
      ...(subject.alternativeNames
        ? [new SubjectAlternativeNameExtension(subject.alternativeNames.map(generalName))]
        : []),
    ],
  });
  return inPem(certificate, keys.privateKey);
}

function inPem(certificate: X509Certificate, privateKey: CryptoKey): KeyPair {
  const key = KeyObject.from(privateKey).export({ type: "pkcs8", format: "pem" });
  return { certificate: `${certificate.toString("pem")}\n`, key: String(key) };
}

function generalName(text: string): JsonGeneralName {
  const [, kind = "", value = ""] = /^(IP|DNS|URI):(.*)$/.exec(text) ?? [];
  if (kind === "") throw new Error(`"${text}" is not a subject alternative name: use IP:, DNS: or URI:.`);
  return { type: kind === "IP" ? "ip" : kind === "DNS" ? "dns" : "url", value };
}

/** As {@link newCa}, into files. */
export async function issueCa(stem: Stem, name: string): Promise<void> {
  await write(stem, await newCa(name));
}

/** As {@link newCertificate}, from and into files. */
export async function issueCertificate(issuingCa: Stem, stem: Stem, subject: Subject): Promise<void> {
  const [certificate, key] = [await readFile(`${issuingCa}.crt`, "utf8"), await readFile(`${issuingCa}.key`, "utf8")];
  await write(stem, await newCertificate({ certificate, key }, subject));
}

async function write(stem: Stem, { certificate, key }: KeyPair): Promise<void> {
  await Promise.all([writeFile(`${stem}.key`, key, { mode: 0o600 }), writeFile(`${stem}.crt`, certificate)]);
}

/** The certificate authorities of a cluster: for clients, for the API server and for authenticating proxies. */
export interface ClusterCas {
  readonly clients: Stem;
  readonly serving: Stem;
  readonly frontProxies: Stem;
}

/** Creates one certificate authority for all three roles in `directory`. */
export async function issueClusterCas(directory: string): Promise<ClusterCas> {
  const stem = join(directory, "ca");
  await issueCa(stem, "control-plane");
  return { clients: stem, serving: stem, frontProxies: stem };
}
