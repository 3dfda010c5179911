import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { GenericContainer, type StartedTestContainer, Wait } from "testcontainers";
import type { Report } from "./binaries.ts";
import type { Stem } from "./certificates.ts";
import { type ClusterAccess, clusterAccess } from "./cluster-access.ts";
import { k3sImage } from "./docker.ts";
import { createTemporaryDirectory } from "./temporary-directory.ts";

export interface K3s extends ClusterAccess {
  readonly close: () => Promise<void>;
}

/**
 * Starts K3s in a privileged container: a Kubernetes with one node that runs pods. It has no audit log and requires `kubectl` on
 * the PATH. The settings are those of the K3s module of testcontainers. Used only if the Docker engine
 * can pull the image.
 */
export async function startK3s(report: Report): Promise<K3s> {
  report(`K3s: starting ${k3sImage} in Docker; pulling it can take a minute.`);
  const container = await new GenericContainer(k3sImage)
    .withPrivilegedMode()
    .withBindMounts([{ source: "/sys/fs/cgroup", target: "/sys/fs/cgroup" }])
    .withTmpFs({ "/run": "rw", "/var/run": "rw" })
    .withCommand(["server", "--disable=traefik,servicelb,metrics-server", "--tls-san=127.0.0.1,localhost"])
    .withExposedPorts(6443)
    .withWaitStrategy(Wait.forLogMessage("Node controller sync successful"))
    .withStartupTimeout(180_000)
    .start();
  const workspace = await createTemporaryDirectory();
  const keep = (name: string) => keepCa(container, name, workspace.directory);
  const access = await clusterAccess({
    url: `https://${container.getHost()}:${container.getMappedPort(6443)}`,
    directory: workspace.directory,
    kubectlProgram: "kubectl",
    clusterCas: {
      clients: await keep("client-ca"),
      serving: await keep("server-ca"),
      frontProxies: await keep("request-header-ca"),
    },
  });
  const close = async () => {
    await container.stop();
    await workspace.dispose();
  };
  return { ...access, close };
}

/** Copies its certificate authorities, so that certificates for any user can be issued, as with the built control plane. */
async function keepCa(container: StartedTestContainer, name: string, directory: string): Promise<Stem> {
  const stem = join(directory, name);
  for (const suffix of [".crt", ".key"]) {
    const path = `/var/lib/rancher/k3s/server/tls/${name}${suffix}`;
    const { exitCode, stdout, stderr } = await container.exec(["cat", path]);
    if (exitCode !== 0) throw new Error(`K3s has no ${path}: ${stderr.trim()}`);
    await writeFile(`${stem}${suffix}`, stdout, { mode: 0o600 });
  }
  return stem;
}
