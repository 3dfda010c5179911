/** Defaults of optional fields, for the rules of the CRD and for the builders of objects. */
export const defaults = {
  /** `garbageCollection.olderThan` */
  garbageAge: "720h",
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
  /** `pod.resources.requests`, unless there is a limit of the same resource */
  requests: { cpu: "100m", memory: "256Mi" },
  /** Added to that request of memory for each worker above the first, in Mi. */
  memoryOfWorker: 192,
  /** Added to the request of memory with `server.jobExecution`, in Mi. */
  memoryOfJobs: 1536,
  /** Minimum of `pod.resources.limits.memory`, in Mi, if twice the request is less. */
  memoryLimit: 2048,
  /** `pod.startupTimeout` */
  startupTimeout: "5m",
  /** `autoscaling.minReplicas` */
  minReplicas: 1,
  /** `autoscaling.targetCPUUtilization` */
  targetCPUUtilization: 80,
  /** `authentication.oauth2Proxy.resources.requests`, likewise */
  proxyRequests: { cpu: "20m", memory: "64Mi" },
  /** `mesh.istio.trustDomain` */
  trustDomain: "cluster.local",
  /** `authentication.oauth2Proxy.session.refresh` */
  sessionRefresh: "30m",
  /** The same with authorization by Kubernetes, which rejects expired tokens: many issuers issue tokens for five minutes */
  kubernetesSessionRefresh: "4m",
  /** `authentication.oauth2Proxy.session.expire` */
  sessionExpire: "8h",
  /** `authentication.oidc.accessTokens.maxAge` */
  accessTokenMaxAge: "168h",
  /** `authentication.basic.passwordCacheTTL` and `authentication.ldap.passwordCacheTTL` */
  passwordCacheTTL: "60s",
} as const;

/** `reservedNames`: users and groups with cluster-wide permissions in common installations. */
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
