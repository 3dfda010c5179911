import { meshed } from "./documents.ts";
import { type Wrong, wrong } from "./wrong-document.ts";

const mesh = wrong(meshed);
const inPostgresql = {
  "spec.backendStore": {
    postgresql: { host: "db.example.com", database: "mlflow", credentialsSecretRef: { name: "database" } },
  },
};
const writer = "spec.traces.writers[0]";
const trustDomain = "spec.mesh.istio.trustDomain";

/** Wrong settings of trace writers and of the mesh. */
export const wrongMeshes: readonly Wrong[] = [
  mesh("a mesh that guards nothing", { "spec.traces": undefined }, "spec.mesh", "[] allows no workload"),
  mesh("no list of writers", { "spec.traces": {} }, "spec.traces.writers", "writers: [] for none"),
  mesh(
    "a writer without namespace",
    { [`${writer}.namespace`]: undefined },
    `${writer}.namespace`,
    "namespace: agents",
  ),
  mesh(
    "a writer without ServiceAccount",
    { [`${writer}.serviceAccount`]: undefined },
    `${writer}.serviceAccount`,
    "serviceAccount: otel-collector",
  ),
  ...["*", "agents*", "team/agents", "Agents", ""].map((namespace) =>
    mesh(
      `the namespace ${JSON.stringify(namespace)}`,
      { [`${writer}.namespace`]: namespace },
      `${writer}.namespace`,
      "without wildcards",
    ),
  ),
  mesh("any ServiceAccount", { [`${writer}.serviceAccount`]: "*" }, `${writer}.serviceAccount`, "must be a name"),
  mesh("an unknown identity", { "spec.traces.identity": "None" }, "spec.traces.identity", "Application"),
  mesh(
    "identity Mesh without a mesh",
    { "spec.traces.identity": "Mesh", "spec.mesh": undefined, ...inPostgresql },
    "spec.traces.identity",
    "add mesh.istio: {mode: Ambient}, or use identity: Application",
  ),
  mesh(
    "identity Mesh with workspaces",
    { "spec.traces.identity": "Mesh", "spec.authentication": { kubernetes: {} }, ...inPostgresql },
    "spec.traces.identity",
    "use traces.identity: Application",
  ),
  mesh(
    "a separate listener with SQLite",
    { "spec.traces.identity": "Mesh" },
    "spec.traces.identity",
    "use backendStore.postgresql or mysql, or identity: Application",
  ),
  mesh("no istio", { "spec.mesh": {} }, "spec.mesh.istio", "write istio: {mode: Ambient}"),
  mesh("no mode", { "spec.mesh.istio.mode": undefined }, "spec.mesh.istio.mode", "write mode: Ambient"),
  mesh("an unknown mode", { "spec.mesh.istio.mode": "Sidecars" }, "spec.mesh.istio.mode", "Sidecar"),
  ...["spiffe://cluster.local", "cluster.local/ns/agents", "td:x"].map((value) =>
    mesh(`the trust domain ${value}`, { [trustDomain]: value }, trustDomain, "without spiffe://"),
  ),
  ...["*", "Cluster.local", ".local"].map((value) =>
    mesh(`the trust domain ${value}`, { [trustDomain]: value }, trustDomain, "lower case letters"),
  ),
  mesh(
    "TLS in the mesh",
    { "spec.server": { tls: { certificateSecretRef: { name: "tls" } } } },
    "spec.server.tls",
    "leave out server.tls",
  ),
];
