import { isDeepStrictEqual } from "node:util";
import type { MlflowServer } from "../api/server.ts";
import type { MlflowWorkspaceAccess } from "../api/workspace-access.ts";
import type { Owned } from "../kube/manifests.ts";
import { label } from "../kube/names.ts";
import type { Key } from "../kube/object.ts";
import { objectNames } from "../resources/names.ts";
import { isWorkspaceObject } from "../resources/workspace/ownership.ts";
import { needsOptIn } from "../resources/workspaces.ts";
import { type Consents, consents } from "./consents.ts";
import { type Store, store } from "./store.ts";

/** What watches keep of workspaces. */
export interface WorkspaceCache {
  readonly consenting: Consents;
  /** Ours, and what only carries our label. */
  readonly bindings: Store<Owned>;
  readonly accesses: Store<MlflowWorkspaceAccess>;
  servers(namespace: string): MlflowServer[];
  /** What we have written into a namespace. */
  grantedIn(namespace: string): ReturnType<typeof grantedOnly>;
  /** What is in workspaces because of a server, but for what goes with its namespace. */
  granted(key: Key): Owned[];
  /** All namespaces in which something may have to be done: for the start. */
  all(): Set<string>;
  /** Tells of all namespaces that a change of this server can matter to. */
  touched(server: MlflowServer): void;
}

export interface WorkspaceSources {
  servers(namespace: string): MlflowServer[];
  /** A ConfigMap that carries our label. */
  configMap(key: Key): Owned | undefined;
  onServer(key: Key): void;
  onWorkspace(namespace: string): void;
}

export function workspaceCache({ servers, configMap, onServer, onWorkspace }: WorkspaceSources): WorkspaceCache {
  const consenting = consents({
    workspace: onWorkspace,
    host: (namespace) => {
      for (const { metadata, spec } of servers(namespace))
        if (needsOptIn(spec)) onServer({ namespace, name: metadata.name });
    },
  });
  const bindings = store<Owned>((_change, { metadata }) => onWorkspace(metadata.namespace ?? ""), {
    byNamespace: true,
  });
  const accesses = store<MlflowWorkspaceAccess>((_change, { metadata }) => onWorkspace(metadata.namespace ?? ""), {
    byNamespace: true,
    isCustom: true,
  });
  const client = (namespace: string) => configMap({ namespace, name: objectNames.client });
  const grantedIn = (namespace: string) =>
    grantedOnly([...bindings.inNamespace(namespace), ...[client(namespace)].filter((each) => each !== undefined)]);

  return {
    consenting,
    bindings,
    accesses,
    servers,
    grantedIn,
    granted: (key) => {
      const clients = consenting
        .of(key.namespace)
        .flatMap(({ metadata }) => client(metadata.name) ?? [])
        .filter(({ metadata }) => metadata.labels?.[label.clientOf] === key.name);
      return grantedOnly([...bindings.ofServer(key), ...clients]).filter(({ metadata }) => {
        const isGoing = consenting.get(metadata.namespace ?? "")?.metadata.deletionTimestamp !== undefined;
        return metadata.deletionTimestamp === undefined && !isGoing;
      });
    },
    all: () =>
      new Set([
        ...[...consenting.all()].map(({ metadata }) => metadata.name),
        ...[...bindings.all(), ...accesses.all()].map(({ metadata }) => metadata.namespace ?? ""),
      ]),
    touched: ({ metadata: { namespace = "", name } }) => {
      const places = [
        ...consenting.of(namespace).map(({ metadata }) => metadata.name),
        ...bindings.ofServer({ namespace, name }).map(({ metadata }) => metadata.namespace ?? ""),
        // A grant that names the server reports that it exists, whether or not its namespace consents.
        ...[...accesses.all()].flatMap(({ metadata, spec: { serverRef } }) =>
          serverRef.namespace === namespace && serverRef.name === name ? [metadata.namespace ?? ""] : [],
        ),
      ];
      for (const place of new Set(places)) onWorkspace(place);
    },
  };
}

function grantedOnly(objects: readonly Owned[]) {
  return objects.filter(isWorkspaceObject);
}

/** Whether a server changed in what matters to workspaces: its spec, or that it is held or goes; not its status. */
export function isOtherServer({ metadata }: MlflowServer, before: MlflowServer | undefined): boolean {
  return (
    before?.metadata.uid !== metadata.uid ||
    before?.metadata.generation !== metadata.generation ||
    before?.metadata.deletionTimestamp !== metadata.deletionTimestamp ||
    !isDeepStrictEqual(before?.metadata.finalizers, metadata.finalizers)
  );
}
