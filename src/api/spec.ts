import { z } from "zod";
import { access, accessRules } from "./fields/access.ts";
import { artifactServer } from "./fields/artifact-server.ts";
import { artifactStore } from "./fields/artifact-store.ts";
import { authentication } from "./fields/authentication.ts";
import { autoscaling } from "./fields/autoscaling.ts";
import { backendStore } from "./fields/backend-store.ts";
import { exposure } from "./fields/exposure.ts";
import { garbageCollection } from "./fields/garbage-collection.ts";
import { image } from "./fields/image.ts";
import { mesh } from "./fields/mesh.ts";
import { monitoring } from "./fields/monitoring.ts";
import { networkPolicy } from "./fields/network-policy.ts";
import { pod } from "./fields/pod.ts";
import { extraAnnotations } from "./fields/pod-metadata.ts";
import { restore } from "./fields/restore.ts";
import { requiredRemedy, rules } from "./fields/rule.ts";
import { serverSettings } from "./fields/server-settings.ts";
import { service } from "./fields/service.ts";
import { traces } from "./fields/traces.ts";
import { upgrade } from "./fields/upgrade.ts";
import { version } from "./fields/version.ts";
import { workspaces } from "./fields/workspaces.ts";
import { kubernetesVersions } from "./versions.ts";

const onSqlite = "has(self.backendStore.sqlite)";
const onMssql = "has(self.backendStore.mssql)";
const usersWith = (method: string) =>
  `has(self.authentication.${method}) && !has(self.authentication.${method}.database)`;
const onVolume = "has(self.artifactStore.persistentVolume)";
const volume = "self.artifactStore.persistentVolume";
const onPrivateVolume = `${onVolume} && !(has(${volume}.accessModes) && 'ReadWriteMany' in ${volume}.accessModes)`;
const named = "has(self.exposure) && has(self.exposure.externalURL)";
/** The operator creates the Ingress or HTTPRoute. */
const routed = "has(self.exposure) && (has(self.exposure.ingress) || has(self.exposure.httpRoute))";
/** The operator creates a Service of type NodePort or LoadBalancer. */
const byService = "has(self.service) && has(self.service.type) && self.service.type != 'ClusterIP'";
const outside = `(${named} || ${routed})`;
const proxied = "has(self.authentication.oauth2Proxy)";
const byKubernetes = `(has(self.authentication.kubernetes) || (${proxied} && has(self.authentication.oauth2Proxy.authorization) && has(self.authentication.oauth2Proxy.authorization.kubernetes)))`;
const isOpen = "has(self.authentication.none)";
const jobs = "has(self.server) && has(self.server.jobExecution) && self.server.jobExecution";
const severalReplicas = "has(self.replicas) && self.replicas > 1";

/** What a user writes under `spec`. */
export const mlflowServerSpec = z
  .strictObject({
    version,
    image: image.optional(),
    upgrade: upgrade.optional(),
    deletionPolicy: z
      .enum(["Retain", "Delete"])
      .meta({
        description:
          "What happens to generated Secrets and volumes when the MlflowServer is deleted. Retain (default) keeps them, and a new server with the same name reuses them. Delete removes them. Example: Delete.",
      })
      .optional(),
    replicas: z.int().min(0).max(100).default(1).meta({
      description:
        "Number of pods. More than one requires a database and an artifact store that pods can share. Example: 2.",
    }),
    autoscaling: autoscaling.optional(),
    hibernate: z
      .boolean()
      .meta({
        description:
          "Whether the server is scaled to zero pods. All other objects are kept, except the HorizontalPodAutoscaler. Default: false. Example: true.",
      })
      .optional(),
    server: serverSettings.optional(),
    pod: pod.optional(),
    serviceAccount: z
      .strictObject({
        annotations: extraAnnotations(
          "Annotations of the ServiceAccount. Default: none. Example: {eks.amazonaws.com/role-arn: arn:aws:iam::123456789012:role/mlflow}.",
        ).optional(),
      })
      .meta({ description: "The ServiceAccount of the pods. The operator creates it." })
      .optional(),
    backendStore,
    artifactStore,
    artifactServer: artifactServer.optional(),
    authentication,
    restore: restore.optional(),
    access: access.optional(),
    workspaces: workspaces.optional(),
    traces: traces.optional(),
    mesh: mesh.optional(),
    service: service.optional(),
    exposure: exposure.optional(),
    garbageCollection: garbageCollection.optional(),
    networkPolicy: networkPolicy.optional(),
    monitoring: monitoring.optional(),
    podDisruptionBudget: z
      .strictObject({
        enabled: z
          .boolean()
          .meta({
            description:
              "Whether the operator creates a PodDisruptionBudget. Set it to false to use your own: pods that two budgets select cannot be evicted. Default: true. Example: false.",
          })
          .optional(),
      })
      .meta({
        description:
          "The PodDisruptionBudget of the pods: at most one pod is unavailable while nodes are drained. The operator creates none for fewer than 2 replicas. Example: {enabled: false}.",
      })
      .optional(),
  })
  .meta({
    description: "Desired state of the server.",
    ...requiredRemedy("write spec with version, backendStore, artifactStore and authentication"),
    ...rules(
      {
        rule: `!(${onSqlite} && ${severalReplicas})`,
        message:
          "replicas above 1 need a database that pods can share: use backendStore.postgresql or mysql, or replicas: 1",
        fieldPath: ".replicas",
      },
      {
        rule: `!((has(self.backendStore.mysql) || ${onMssql}) && (${usersWith("basic")} || ${usersWith("ldap")}) || ${onMssql} && ${usersWith("oidc")})`,
        message:
          "MLflow cannot store users in SQL Server, and in MySQL only those of oidc: add a PostgreSQL database for them, such as authentication.basic.database.postgresql, or use another authentication method",
        fieldPath: ".authentication",
      },
      {
        rule: `!${onMssql} || !(has(self.restore) || has(self.upgrade) && has(self.upgrade.backup))`,
        message:
          "the operator cannot back up or restore SQL Server: leave out restore and upgrade.backup, or use backendStore.postgresql",
        fieldPath: ".backendStore.mssql",
      },
      {
        rule: `!(${jobs} && ${severalReplicas})`,
        message:
          "with server.jobExecution each pod has its own scheduler and queue, so jobs run once for each replica: use replicas: 1, or leave out server.jobExecution",
        fieldPath: ".replicas",
      },
      {
        rule: "!(has(self.authentication.oidc) && has(self.authentication.oidc.ca) && has(self.server) && has(self.server.env) && self.server.env.exists(variable, variable.name == 'SSL_CERT_FILE'))",
        message:
          "SSL_CERT_FILE replaces the CA bundle of the issuer: put the certificates of both CAs into authentication.oidc.ca",
        fieldPath: ".server.env",
      },
      {
        rule: `!(${onPrivateVolume} && ${severalReplicas})`,
        message:
          "replicas above 1 need an artifact store that pods can share: use a bucket, or persistentVolume.accessModes: [ReadWriteMany], or replicas: 1",
        fieldPath: ".replicas",
      },
      {
        rule: `!has(self.autoscaling) || !(${onSqlite} || (${onPrivateVolume}) || (${jobs}))`,
        message:
          "autoscaling needs a database and an artifact store that pods can share, and no server.jobExecution: use backendStore.postgresql or mysql, and a bucket or accessModes: [ReadWriteMany], or leave out autoscaling",
        fieldPath: ".autoscaling",
      },
      {
        rule: `!has(self.artifactServer) || !(${onSqlite} || (${onPrivateVolume}) || (has(self.artifactStore.access) && self.artifactStore.access == 'Direct'))`,
        message:
          "artifactServer needs stores that pods can share: use backendStore.postgresql or mysql, and a bucket or accessModes: [ReadWriteMany], without access: Direct",
        fieldPath: ".artifactServer",
      },
      {
        rule: `!has(self.artifactServer) || (${outside} && !has(self.mesh))`,
        message:
          "a gateway chooses artifactServer by path: add exposure.ingress or httpRoute, or externalURL for your own gateway, and leave out mesh",
        fieldPath: ".artifactServer",
      },
      {
        rule: `!(${onSqlite} && ${onVolume} && (has(self.backendStore.sqlite.size) || has(self.backendStore.sqlite.storageClassName)))`,
        message:
          "the SQLite file shares the artifact volume: set size and storageClassName on artifactStore.persistentVolume, and leave sqlite: {}",
        fieldPath: ".backendStore.sqlite",
      },
      {
        rule: `!${byKubernetes} || self.version in ${JSON.stringify(kubernetesVersions)}`,
        message: `authorization by Kubernetes needs version ${kubernetesVersions.join(", ")}: the plugin does not start with any other. Write one of these, or use another authentication method`,
        fieldPath: ".authentication",
      },
      {
        rule: `!has(self.workspaces) || ${byKubernetes}`,
        message:
          "workspaces are namespaces, and Kubernetes RBAC decides who can access them: use authentication.kubernetes, or authentication.oauth2Proxy with authorization.kubernetes, or leave out workspaces",
        fieldPath: ".workspaces",
      },
      {
        rule: "!(has(self.networkPolicy) && has(self.networkPolicy.egress) && !has(self.networkPolicy.egress.ports) && has(self.backendStore.uriSecretRef))",
        message:
          "the port of the database is in a Secret, which networkPolicy does not read: list it in networkPolicy.egress.ports",
        fieldPath: ".networkPolicy.egress",
      },
      {
        rule: "!has(self.traces) || !has(self.traces.identity) || self.traces.identity != 'Mesh' || has(self.mesh)",
        message:
          "traces.identity: Mesh relies on the mesh to identify writers: add mesh.istio: {mode: Ambient}, or use identity: Application",
        fieldPath: ".traces.identity",
      },
      {
        rule: `!has(self.traces) || !has(self.traces.identity) || self.traces.identity != 'Mesh' || !${byKubernetes}`,
        message:
          "with authorization by Kubernetes a writer's own token decides to which workspaces it can write: use traces.identity: Application",
        fieldPath: ".traces.identity",
      },
      {
        rule: "!has(self.traces) || !has(self.traces.identity) || self.traces.identity != 'Mesh' || !has(self.backendStore.sqlite)",
        message:
          "the listener of traces.identity: Mesh has its own pods, which cannot use a SQLite file: use backendStore.postgresql or mysql, or identity: Application",
        fieldPath: ".traces.identity",
      },
      {
        rule: "!has(self.mesh) || has(self.traces)",
        message: "mesh restricts who can write traces: add traces.writers ([] allows no workload), or leave out mesh",
        fieldPath: ".mesh",
      },
      {
        rule: "!has(self.mesh) || !has(self.server) || !has(self.server.tls)",
        message:
          "the mesh cannot inspect paths inside TLS: leave out server.tls (the mesh encrypts), or leave out mesh",
        fieldPath: ".server.tls",
      },
      {
        rule: "!has(self.authentication.oauth2Proxy) || !has(self.server) || !has(self.server.allowedHosts)",
        message: "oauth2-proxy does not pass the Host header of clients to MLflow: leave out server.allowedHosts",
        fieldPath: ".server.allowedHosts",
      },
      {
        rule: `!(${proxied} && has(self.authentication.oauth2Proxy.redirectURL) && ${outside}) || (${named} && self.authentication.oauth2Proxy.redirectURL == self.exposure.externalURL + '/oauth2/callback')`,
        message:
          "authentication.oauth2Proxy.redirectURL follows from exposure (externalURL, or its default, followed by /oauth2/callback): leave it out",
        fieldPath: ".authentication.oauth2Proxy.redirectURL",
      },
      {
        rule: `!(has(self.authentication.oidc) && has(self.authentication.oidc.redirectURL) && ${outside}) || (${named} && self.authentication.oidc.redirectURL == self.exposure.externalURL + '/callback')`,
        message:
          "authentication.oidc.redirectURL follows from exposure (externalURL, or its default, followed by /callback): leave it out",
        fieldPath: ".authentication.oidc.redirectURL",
      },
      {
        rule: `!(${proxied} && ${named}) || self.exposure.externalURL.matches('^(https://|http://(localhost|127[.]0[.]0[.]1)(:|/|$))')`,
        message:
          "with authentication.oauth2Proxy, exposure.externalURL begins with https:// (http only for localhost), since the session could be intercepted over plain http",
        fieldPath: ".exposure.externalURL",
      },
      {
        rule: `!(${proxied} && ${routed} && !has(self.exposure.externalURL)) || !has(self.exposure.ingress) || has(self.exposure.ingress.tls) || !has(self.exposure.ingress.hosts)`,
        message:
          "with authentication.oauth2Proxy, clients must use https: add exposure.ingress.tls, or write exposure.externalURL with https:// where TLS is terminated in front of the ingress",
        fieldPath: ".exposure.ingress",
      },
      {
        rule: `!(${isOpen} && ${routed})`,
        message:
          "a server with authentication.none is not exposed outside the cluster: use another authentication method, such as oauth2Proxy. If something else protects the server, create the Ingress or HTTPRoute yourself, and set only exposure.externalURL here",
        fieldPath: ".exposure",
      },
      {
        rule: `!(${byService}) || ${named}`,
        message:
          "MLflow answers to hosts of exposure.externalURL only: write the URL for clients outside the cluster there, such as http://mlflow.example.com:5000",
        fieldPath: ".exposure",
      },
      {
        rule: `!(${byService}) || !(${isOpen} || has(self.mesh))`,
        message:
          "clients outside the cluster connect to it directly: use an authentication method other than none and no mesh, or leave out type. A mesh has an ingress gateway",
        fieldPath: ".service.type",
      },
      {
        rule: `!((${routed} || (${byService})) && has(self.networkPolicy) && has(self.networkPolicy.from) && self.networkPolicy.from.size() == 0)`,
        message:
          "networkPolicy.from: [] denies all clients, gateways and load balancers too: list them there, such as {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: gateways}}}",
        fieldPath: ".networkPolicy.from",
      },
      ...accessRules,
    ),
  });

export type MlflowServerSpec = z.infer<typeof mlflowServerSpec>;
