import { join } from "node:path";
import { cacheDirectory } from "../control-plane/go-programs.ts";

const root = join(cacheDirectory(), "cluster");

/** Paths of the cluster. Images and logs are kept after it ends, `state` is not. */
export const clusterPaths = {
  root,
  /** The lock for starting and stopping the cluster. */
  lock: join(root, ".lock"),
  /** A file for each user of the cluster; see users.ts. */
  users: join(root, "users"),
  /** The init program of the node's namespaces: a fixed path, so that all processes find a running node. */
  init: join(root, "node"),
  /** Certificates, kubeconfigs, etcd, kubelet, volumes: new at every start. */
  state: join(root, "state"),
  /** Exists once the cluster was healthy; without it the start was interrupted. */
  complete: join(root, "state", "complete"),
  /** containerd's folder: unpacked images, kept so that they are not imported each time. */
  containerd: join(root, "containerd"),
  /** Copies of containerd's indexes from before any pod ran; see containerd-store.ts. */
  savedIndexes: join(root, "containerd-pristine"),
  /** Archives of built images. */
  images: join(root, "images"),
  logs: join(root, "logs"),
} as const;
