import { join } from "node:path";

/** Arguments of a single etcd 3.7 whose clients are on the loopback interface at `url`. */
export function etcdArgs(directory: string, url: string, peerPort: number): readonly string[] {
  const peer = `http://127.0.0.1:${peerPort}`;
  return [
    "--name=test",
    `--data-dir=${join(directory, "etcd")}`,
    // A test cluster needs no durability, and a write to disk for each request makes etcd slow.
    "--unsafe-no-fsync",
    "--log-level=warn",
    `--listen-client-urls=${url}`,
    `--advertise-client-urls=${url}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=test=${peer}`,
  ];
}
