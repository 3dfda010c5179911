import { join } from "node:path";
import { cacheDirectory } from "../control-plane/go-programs.ts";

const root = join(cacheDirectory(), "cluster");

/** Where the cluster keeps what. Images and logs outlive it, `state` does not. */
export const places = {
  root,
  /** Held by whoever brings the cluster up or takes it down. */
  lock: join(root, ".lock"),
  /** A file for each user of the cluster; see users.ts. */
  users: join(root, "users"),
  /** The program that holds the node's namespaces: always the same path, so that a node is found by whoever looks. */
  holder: join(root, "node"),
  /** Certificates, kubeconfigs, etcd, kubelet, volumes: new at every start. */
  state: join(root, "state"),
  /** There once the cluster has been well; one without it was left half started. */
  complete: join(root, "state", "complete"),
  /** containerd's own: unpacked images, kept so that they are not imported each time. */
  containerd: join(root, "containerd"),
  /** Copies of containerd's indexes from before any pod ran; see containerd-store.ts. */
  pristine: join(root, "containerd-pristine"),
  /** Archives of images that were built. */
  images: join(root, "images"),
  logs: join(root, "logs"),
} as const;
