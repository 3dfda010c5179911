import { artifactsApart, meshed } from "./documents.ts";
import { type Wrong, wrong } from "./wrong-document.ts";

const apart = wrong(artifactsApart);
const field = "spec.artifactServer";
const stores = "needs stores that pods can share";

/** Wrong settings of the pods for artifacts. */
export const wrongArtifactServers: readonly Wrong[] = [
  apart("pods for artifacts on SQLite", { "spec.backendStore": { sqlite: {} } }, field, stores),
  apart(
    "pods for artifacts with a volume of one node",
    { "spec.artifactStore": { persistentVolume: {} } },
    field,
    stores,
  ),
  apart("pods for artifacts that clients do not use", { "spec.artifactStore.access": "Direct" }, field, stores),
  apart("pods for artifacts without a gateway", { "spec.exposure": undefined }, field, "add exposure.ingress"),
  wrong(meshed)("pods for artifacts in a mesh", { [field]: {} }, field, "leave out mesh"),
  ...[0, 101].map((replicas) =>
    apart(`${replicas} pods for artifacts`, { [`${field}.replicas`]: replicas }, `${field}.replicas`, "should be"),
  ),
  apart(
    "a request of the pods for artifacts above the limit",
    { [`${field}.resources`]: { requests: { cpu: "2" }, limits: { cpu: "1" } } },
    `${field}.resources`,
    "lower requests or raise limits",
  ),
];
