import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ConfigMap, Secret } from "../../src/kube/manifests.ts";
import { oauth2ProxyProgram } from "../../test/cluster/oauth2-proxy.ts";
import { freePort } from "../../test/control-plane/free-port.ts";
import { configMap, secret } from "../../test/support/fixtures.ts";
import { type OidcIssuer, startOidcIssuer } from "../../test/support/oidc/oidc-issuer.ts";
import { type Directory, startDirectory } from "./directory.ts";
import { type Kubernetes, startKubernetes } from "./kubernetes.ts";
import { clientID, type Method, person } from "./methods.ts";
import { type Postgresql, password, startPostgresql } from "./postgresql.ts";
import { rootFileSystem } from "./root-file-system.ts";

export const version = "3.17.2";

/** What the servers need: images, PostgreSQL, an issuer, an LDAP directory and an API server, all on loopback. */
export interface Environment {
  /** The root file system of MLflow's image. */
  readonly root: string;
  /** For the files of the servers. */
  readonly folder: string;
  readonly database: Postgresql;
  readonly issuer: OidcIssuer;
  readonly directory: Directory | undefined;
  readonly kubernetes: Kubernetes | undefined;
  /** The program oauth2-proxy. */
  readonly proxyProgram: string;
  /** The port of each method for clients. */
  readonly ports: ReadonlyMap<string, number>;
  /** The Secrets and ConfigMaps that specs refer to. */
  readonly references: readonly (Secret | ConfigMap)[];
  readonly close: () => Promise<void>;
}

const clientSecret = "secret-of-the-client";

/** Starts what these methods need. Requires root, for mounts. */
export async function startEnvironment(methods: readonly Method[], say: (line: string) => void): Promise<Environment> {
  const needs = (...names: string[]) => methods.some(({ name }) => names.includes(name));
  const closers: (() => Promise<void>)[] = [];
  const close = async () => {
    for (const each of closers.reverse()) await each().catch((error: unknown) => say(String(error)));
  };
  try {
    const folder = await mkdtemp(join(tmpdir(), "bench-requests-"));
    closers.push(() => rm(folder, { recursive: true, force: true }));
    const root = await rootFileSystem(`mlflow-server:${version}`, say);
    const ports = new Map<string, number>();
    for (const { name } of methods) ports.set(name, await freePort());
    const redirects = [...ports.values()].map((port) => `http://localhost:${port}`);
    const issuer = await startOidcIssuer({
      clients: [
        {
          id: clientID,
          secret: clientSecret,
          redirectUris: redirects.flatMap((url) => [`${url}/callback`, `${url}/oauth2/callback`]),
        },
      ],
      people: [person],
      tokenSeconds: 24 * 3600,
    });
    closers.push(issuer.close);
    const database = await startPostgresql(join(folder, "postgresql"), say);
    closers.push(database.close);
    const directory = needs("ldap") ? await startDirectory(join(folder, "slapd"), say) : undefined;
    if (directory) closers.push(directory.close);
    const kubernetes = needs("self-review", "review-by-name")
      ? await startKubernetes(folder, issuer, clientID, person.login, say)
      : undefined;
    if (kubernetes) closers.push(kubernetes.close);
    const references = [
      secret("db", { username: "postgres", password }),
      secret("client", { secret: clientSecret }),
      configMap("issuer-ca", { "ca.crt": issuer.ca }),
      configMap("ldap-ca", { "ca.crt": directory?.ca ?? "" }),
    ];
    const proxyProgram = await oauth2ProxyProgram(say);
    return { root, folder, database, issuer, directory, kubernetes, proxyProgram, ports, references, close };
  } catch (error) {
    await close();
    throw error;
  }
}
