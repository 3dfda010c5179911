/** Effective values of fields that a spec may leave out; the CRD's rules and the builders both use them. */
export const defaults = {
  /** `artifactStore.persistentVolume.size` */
  artifactVolumeSize: "10Gi",
  /** `backendStore.sqlite.size` */
  sqliteVolumeSize: "1Gi",
  /** `artifactStore.maxUploadSize` */
  maxUploadSize: "10Gi",
  /** `server.maxRequestBodySize` */
  maxRequestBodySize: "64Mi",
  /** `artifactStore.persistentVolume.accessModes` */
  accessModes: ["ReadWriteOnce"],
  /** `pod.resources.requests`, each unless there is a limit of the same resource */
  requests: { cpu: "100m", memory: "512Mi" },
  /** Added to that request of memory for each worker above the first, in Mi. */
  memoryOfWorker: 320,
  /** Added to it with `server.jobExecution`, in Mi. */
  memoryOfJobs: 1536,
  /** `pod.resources.limits.memory`, in Mi, where twice the request is less. */
  memoryLimit: 2048,
  /** `proxy.resources.requests`, likewise */
  proxyRequests: { cpu: "20m", memory: "64Mi" },
  /** `mesh.istio.trustDomain` */
  trustDomain: "cluster.local",
  /** `proxy.session.refresh` */
  sessionRefresh: "30m",
  /** The same with `authentication.kubernetes`, which takes no expired token: many issuers' last for five minutes */
  kubernetesSessionRefresh: "4m",
  /** `proxy.session.expire` */
  sessionExpire: "8h",
  /** `authentication.oidc.accessTokens.maxAge` */
  accessTokenMaxAge: "168h",
  /** `authentication.basic.passwordCacheTTL` and `authentication.ldap.passwordCacheTTL` */
  passwordCacheTTL: "60s",
} as const;

/** `authentication.kubernetes.reservedNames`: users and groups with cluster-wide rights in common installations. */
export const reservedNames = [
  "kubeadm:*",
  "kube:*",
  "eks:*",
  "kubernetes-admin",
  "kubernetes-super-admin",
  "kube-admin",
  "kubeadmin",
  "cluster-admin",
  "cluster-admins",
  "clusterAdmin",
  "masterclient",
  "minikube-user",
] as const;
