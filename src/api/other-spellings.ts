/** Fields of Helm charts of MLflow, of pod specs and of other operators, by path, and the fields of an MlflowServer that replace them. */
const replacements: readonly (readonly [path: RegExp, instead: string])[] = [
  [/^spec\.(replicaCount|replica)$/, "use spec.replicas"],
  [/^spec\.(mlflowVersion|appVersion|tag)$/, 'use spec.version, such as version: "3.17.2"'],
  [/^spec\.image\.version$/, 'use spec.version, such as version: "3.17.2"'],
  [/^spec\.image\.(name|registry|image)$/, "use spec.image.repository, with the registry and without the tag"],
  [/^spec\.(imagePullSecrets|image\.imagePullSecrets)$/, "use spec.image.pullSecrets: [{name: …}]"],
  [/^spec\.(imagePullPolicy|image\.imagePullPolicy)$/, "use spec.image.pullPolicy"],
  [/^spec\.(auth|basicAuth|basic)$/, "use spec.authentication.basic"],
  [/^spec\.(ldapAuth|ldap)$/, "use spec.authentication.ldap"],
  [/^spec\.(oidcAuth|oidc)$/, "use spec.authentication.oidc"],
  [/^spec\.(proxy|oauth2Proxy|oauth2-proxy|sso)$/, "use spec.authentication.oauth2Proxy"],
  [
    /^spec\.authentication\.(type|method|mode)$/,
    "name the method as a field instead, such as authentication: {basic: {}}",
  ],
  [/^spec\.authentication\.(oauth|oauth2|proxy|sso)$/, "use spec.authentication.oauth2Proxy"],
  [/^spec\.authentication\.(openID|openIDConnect|oidcAuth|keycloak)$/, "use spec.authentication.oidc"],
  [/^spec\.authentication\.(password|passwords|local|users|basicAuth)$/, "use spec.authentication.basic"],
  [
    /^spec\.(authentication|backendStore|artifactStore|exposure)\.[A-Za-z0-9]+\.enabled$/,
    "leave it out: the field above it enables this, {} is enough",
  ],
  [/^spec\.(authentication|exposure)\.enabled$/, "leave it out"],
  [/^spec\.artifactRoot$/, "use spec.artifactStore"],
  [
    /^spec\.artifactStore\.(pvc|volume|persistence|persistentVolumeClaim|local|filesystem)$/,
    "use spec.artifactStore.persistentVolume",
  ],
  [/^spec\.artifactStore\.(google|googleCloudStorage|gs|gcp)$/, "use spec.artifactStore.gcs"],
  [/^spec\.artifactStore\.(azure|azureBlobStorage|wasbs|abs)$/, "use spec.artifactStore.azureBlob"],
  [
    /^spec\.artifactStore\.gcs\.(existingSecret|secretName|credentials|serviceAccountKey)$/,
    "use spec.artifactStore.gcs.credentialsSecretRef: {name: …, key: …}: keys are in a Secret only",
  ],
  [
    /^spec\.artifactStore\.azureBlob\.(connectionString|accessKey|existingSecret|secretName)$/,
    "use connectionStringSecretRef or accessKeySecretRef: {name: …, key: …} next to it: keys are in a Secret only",
  ],
  [/^spec\.artifactStore\.s3\.(endpoint|url|endpointUrl)$/, "use spec.artifactStore.s3.endpointURL"],
  [/^spec\.artifactStore\.s3\.path$/, "use spec.artifactStore.s3.prefix"],
  [
    /^spec\.artifactStore\.s3\.(awsAccessKeyId|awsSecretAccessKey|accessKey|secretKey|accessKeyId|secretAccessKey|existingSecret|secretName|credentials)$/,
    "use spec.artifactStore.s3.credentialsSecretRef: {name: …}: keys are in a Secret only",
  ],
  [/^spec\.(backendStore\.)?(postgres|postgresDB|pg)$/, "use spec.backendStore.postgresql"],
  [
    /^spec\.postgresql$/,
    "use spec.backendStore.postgresql, which names a database that exists: the operator does not install one",
  ],
  [/^spec\.minio$/, "use spec.artifactStore.s3 with endpointURL: the operator does not install a store"],
  [/^spec\.((backendStore\.)?(mysqlDB|mariadb|mariaDB)|mysql)$/, "use spec.backendStore.mysql"],
  [
    /^spec\.backendStore\.(uri|url)$/,
    "use spec.backendStore.uriSecretRef: {name: …, key: …}, with the complete URI in a Secret",
  ],
  [/^spec\.((backendStore\.)?(sqlserver|sqlServer)|mssql)$/, "use spec.backendStore.mssql"],
  [/^spec\.backendStore\.(databaseMigration|autoMigrate)$/, "use spec.backendStore.migration: Automatic"],
  [/^spec\.backendStore\.databaseConnectionCheck$/, "use spec.backendStore.connectionCheck"],
  [
    /\.(postgresql|mysql|mssql)\.(user|username|password|existingSecret|secretName|passwordSecretRef)$/,
    "use credentialsSecretRef: {name: …} next to it: the user name and the password are in a Secret only",
  ],
  [
    /\.(postgresql|mysql|mssql)\.(uri|url|connectionString)$/,
    "use spec.backendStore.uriSecretRef: {name: …, key: …}, with the complete URI in a Secret",
  ],
  [/\.postgresql\.(ssl|sslmode|tls)$/, "use sslMode next to it, such as sslMode: verify-full"],
  [/\.mysql\.(ssl|sslmode|sslMode|ssl_ca|ca)$/, "use tls next to it, such as tls: {mode: VerifyIdentity}"],
  [
    /\.mssql\.(tls|ssl|sslMode|encrypt|trustServerCertificate|ca)$/,
    "use encryption next to it, such as encryption: require",
  ],
  [/\.postgresql\.(schema|search_path|currentSchema)$/, "use searchPath next to it"],
  [/\.(postgresql|mysql|mssql)\.(db|dbName|databaseName|name)$/, "use database next to it"],
  [
    /\.basic\.(adminUsername|adminPassword|username|password|existingSecret)$/,
    "use adminCredentialsSecretRef: {name: …}: the user name and the password are in a Secret only",
  ],
  [
    /\.(clientSecret|clientSecretName)$/,
    "use clientSecretRef: {name: …, key: …}: the client secret is in a Secret only",
  ],
  [/\.ldap\.(uri|host|server)$/, "use spec.authentication.ldap.url, such as url: ldaps://ldap.example.com"],
  [/\.ldap\.lookupBind$/, "use spec.authentication.ldap.userBind"],
  [
    /\.ldap\.(bindDN|bindPassword)$/,
    "use search.bindCredentialsSecretRef: {name: …}: DN and password are in a Secret only",
  ],
  [
    /^spec\.(ingress|httpRoute|externalURL|hostnames?|hosts?)$/,
    "use spec.exposure, such as exposure: {externalURL: https://mlflow.example.com, ingress: {}}",
  ],
  [/^spec\.(exposure\.)?(gateway|gateways|route)$/, "use spec.exposure.httpRoute: {parentRefs: [{name: …}]}"],
  [
    /^spec\.exposure\.(host|hosts|url|externalUrl)$/,
    "use spec.exposure.externalURL, such as https://mlflow.example.com",
  ],
  [/^spec\.exposure\.ingress\.host$/, "use spec.exposure.ingress.hosts: [{host: …}]"],
  [/^spec\.exposure\.ingress\.(ingressClassName|class)$/, "use spec.exposure.ingress.className"],
  [
    /^spec\.(exposure\.)?(serviceType|loadBalancer|nodePort)$/,
    "use spec.service: {type: LoadBalancer}, or type: NodePort",
  ],
  [/^spec\.exposure\.service$/, "use spec.service"],
  [/^spec\.service\.(nodePort|nodePorts|ports|httpPort)$/, "use spec.service.port, for clients outside the cluster"],
  [/^spec\.service\.(sourceRanges|allowedSourceRanges)$/, "use spec.service.loadBalancerSourceRanges"],
  [
    /^spec\.service\.(loadBalancerIP|externalIPs|clusterIP|externalName)$/,
    "leave it out: the cluster chooses addresses; an annotation of your load balancer can set one",
  ],
  [/^spec\.service\.(name|enabled|targetPort|selector)$/, "leave it out: the operator sets it"],
  [/^spec\.(extraEnvVars|extraEnv|environment|envVars)$/, "use spec.server.env: [{name: …, value: …}]"],
  [/^spec\.(extraSecretNamesForEnvFrom|extraEnvFrom)$/, "use spec.server.envFrom: [{secretRef: {name: …}}]"],
  [/^spec\.(podLabels|podAnnotations|labels|annotations)$/, "use spec.pod.labels or spec.pod.annotations"],
  [/^spec\.(suspend|suspended|paused|hibernated|stopped)$/, "use spec.hibernate: true"],
  [
    /^spec\.(serviceAccountName|serviceAccount\.(name|create))$/,
    "leave it out: the operator creates the ServiceAccount, and spec.serviceAccount.annotations annotates it",
  ],
  [
    /^spec\.networkPolicy\.(ingress|ingressRules|allowedClients|allowFrom)$/,
    "use spec.networkPolicy.from: [{podSelector: {}}]",
  ],
  [
    /^spec\.podDisruptionBudget\.(minAvailable|maxUnavailable)$/,
    "leave it out: at most one pod is unavailable; for your own PodDisruptionBudget write enabled: false",
  ],
  [/Ref\.secretName$/, "use name"],
  [
    /(SecretRef|secretRef|secretKeyRef|configMapRef|configMapKeyRef)\.namespace$/,
    "leave it out: the object must be in the namespace of the server",
  ],
  [/SecretRef\.(secretKeyRef|secretRef|valueFrom)$/, "write its fields directly below, such as {name: …}"],
  [/^spec\.(server|serverName|mlflowServer)$/, "use spec.serverRef: {namespace: …, name: …}"],
  [/^spec\.(users|groups|members|serviceAccounts|subject)$/, "use spec.subjects: [{kind: Group, name: …}]"],
  [/^spec\.(roleRef|roles|permission|permissions)$/, "use spec.role: Viewer, Editor, Admin or TraceWriter"],
  [/^spec\.(expires|expiry|expiration|validUntil|until)$/, "use spec.expiresAt, such as 2027-01-31T18:00:00Z"],
  [/subjects\[\]\.apiGroup$/, "leave it out: the kind is sufficient"],
  [/^spec\.hpa$/, "use spec.autoscaling: {minReplicas: …, maxReplicas: …}"],
  [/^spec\.autoscaling\.enabled$/, "leave it out: spec.autoscaling with maxReplicas enables it"],
  [
    /^spec\.autoscaling\.(targetCPU|targetCPUUtilizationPercentage)$/,
    "use spec.autoscaling.targetCPUUtilization, a number in percent",
  ],
  [
    /^spec\.(serviceMonitor|metrics|podMonitor|prometheus)$/,
    "use spec.monitoring: {namespace: …}; the chart creates the PodMonitor of all servers",
  ],
  [
    /^spec\.(pod\.)?(initContainers|extraContainers|containers|sidecars|volumes|extraVolumes|extraVolumeMounts|volumeMounts)$/,
    "further containers and volumes are not supported: leave it out",
  ],
  [
    /^spec\.(pod\.)?(podSecurityContext|securityContext|containerSecurityContext)$/,
    "leave it out: the pods always run under the Pod Security standard restricted",
  ],
  [
    /^spec\.(pod\.)?(livenessProbe|readinessProbe|startupProbe|probes|strategy|updateStrategy)$/,
    "leave it out: the operator sets probes and the update strategy",
  ],
];

/**
 * What to write instead of a field that another tool has and an MlflowServer or MlflowWorkspaceAccess does not. Case is ignored, and a
 * field of the other kind is not suggested.
 */
export function replacementOf(path: string, exists: (field: string) => boolean): string | undefined {
  const plain = path.replaceAll(/\[\d+\]/g, "[]");
  const found = replacements.filter(([pattern]) => new RegExp(pattern, "i").test(plain)).map(([, instead]) => instead);
  return found.find((instead) => {
    const [, field] = /^use (spec(?:\.[A-Za-z0-9]+)+)/.exec(instead) ?? [];
    return field === undefined || exists(field);
  });
}
