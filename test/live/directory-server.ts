import { newCa, newCertificate } from "../control-plane/certificates.ts";
import { type Dependency, startDependency, startPod } from "./dependency.ts";
import { imageReference } from "./live-cluster.ts";
import type { LiveFixture } from "./live-fixture.ts";
import { waitUntil } from "./wait-until.ts";

/** An LDAP directory with the users and groups of test/cluster/images/slapd/directory.ldif. */
export interface DirectoryServer {
  /** PEM of the CA of its certificate, which is for the host `slapd`. */
  readonly ca: string;
  /** Its URLs: ldaps, and ldap with StartTLS on port 3890. */
  readonly url: { readonly ldaps: string; readonly ldap: string };
  /** Changes entries with LDIF for ldapmodify. */
  readonly modify: (ldif: string) => Promise<void>;
  /** Stops the directory; its Service then has no endpoints. */
  readonly stop: () => Promise<void>;
  /** Starts the directory again with its initial content. */
  readonly start: () => Promise<void>;
}

const name = "slapd";
const base = "dc=mlflow,dc=test";

export async function startDirectory(fixture: LiveFixture): Promise<DirectoryServer> {
  const issuingCa = await newCa("CA of the directory");
  const { certificate, key } = await newCertificate(issuingCa, { name, alternativeNames: [`DNS:${name}`] });
  const dependency: Dependency = {
    name,
    port: 6360,
    otherPorts: [3890],
    container: {
      image: await imageReference(fixture.cluster, "slapd"),
      env: [
        { name: "TLS_CERTIFICATE", value: certificate },
        { name: "TLS_KEY", value: key },
      ],
    },
    dataPath: "/var/lib/slapd",
    user: 999,
  };
  await startDependency(fixture, dependency);
  return {
    ca: issuingCa.certificate,
    url: { ldaps: `ldaps://${name}:6360/${base}`, ldap: `ldap://${name}:3890/${base}` },
    modify: async (ldif) => {
      const login = ["-x", "-D", `cn=root,${base}`, "-w", "of-the-root-12345"];
      await fixture.inPod(name, ["ldapmodify", "-H", "ldap://localhost:3890", ...login], ldif);
    },
    stop: async () => {
      await fixture.objects.remove("Pod", name);
      await waitUntil(async () => {
        if ((await fixture.objects.list("Pod")).some(({ metadata }) => metadata.name === name))
          throw new Error(`Pod/${name} still exists.`);
      }, 60);
    },
    start: () => startPod(fixture, dependency),
  };
}
