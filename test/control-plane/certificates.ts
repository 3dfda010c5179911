import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { succeeded } from "./completed.ts";

/** A certificate and its private key: PEM files `<stem>.crt` and `<stem>.key`. */
export type Stem = string;

export interface Subject {
  readonly name: string;
  readonly groups?: readonly string[];
  /** As openssl writes them: `IP:127.0.0.1`, `DNS:localhost`. Needed by what serves. */
  readonly alternativeNames?: readonly string[];
}

const ellipticCurve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

async function openssl(args: readonly string[]): Promise<void> {
  try {
    await succeeded("openssl", args);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT")
      throw new Error("openssl is not on the PATH: install it, the control plane's certificates are made with it.", {
        cause: error,
      });
    throw error;
  }
}

/** A new certificate authority, good for ten days. */
export async function issueAuthority(stem: Stem, name: string): Promise<void> {
  await writeFile(
    `${stem}.cnf`,
    "[req]\ndistinguished_name=dn\nx509_extensions=v3\n[dn]\n[v3]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign,digitalSignature\nsubjectKeyIdentifier=hash\n",
  );
  await openssl([
    "req",
    "-x509",
    ...ellipticCurve,
    "-days",
    "10",
    "-subj",
    `/CN=${name}`,
    "-config",
    `${stem}.cnf`,
    "-keyout",
    `${stem}.key`,
    "-out",
    `${stem}.crt`,
  ]);
  await rm(`${stem}.cnf`);
}

/**
 * A certificate for client and server use, signed by `authority`, good for nine days.
 * The API server reads a client certificate's common name as the user and its organisations as the groups.
 */
export async function issueCertificate(authority: Stem, stem: Stem, subject: Subject): Promise<void> {
  const escaped = (text: string) => text.replaceAll(/[\\/+]/g, "\\$&");
  const fields = [
    ...(subject.groups ?? []).map((group) => `/O=${escaped(group)}`),
    `/CN=${escaped(subject.name)}`,
  ].join("");
  const names = subject.alternativeNames ? `subjectAltName=${subject.alternativeNames.join(",")}\n` : "";
  await writeFile(
    `${stem}.ext`,
    `keyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth,serverAuth\n${names}`,
  );
  await openssl(["req", "-new", ...ellipticCurve, "-subj", fields, "-keyout", `${stem}.key`, "-out", `${stem}.csr`]);
  const signing = ["x509", "-req", "-in", `${stem}.csr`, "-CA", `${authority}.crt`, "-CAkey", `${authority}.key`];
  // A random serial, not -CAcreateserial: several are issued at once and would write the same serial file.
  const serial = `0x01${crypto.randomUUID().replaceAll("-", "").slice(0, 30)}`;
  await openssl([...signing, "-set_serial", serial, "-days", "9", "-extfile", `${stem}.ext`, "-out", `${stem}.crt`]);
  await Promise.all([rm(`${stem}.csr`), rm(`${stem}.ext`)]);
}

/** Three authorities that a cluster may keep apart: whom it believes about clients, about itself and about proxies in front of it. */
export interface Authorities {
  readonly clients: Stem;
  readonly serving: Stem;
  readonly frontProxies: Stem;
}

/** One self-made authority in all three roles, in `directory`. */
export async function issueAuthorities(directory: string): Promise<Authorities> {
  const stem = join(directory, "ca");
  await issueAuthority(stem, "control-plane");
  return { clients: stem, serving: stem, frontProxies: stem };
}
