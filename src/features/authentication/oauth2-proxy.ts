import { choose } from "../../api/choose.ts";
import type { ProxySettings } from "../../api/fields/oauth2-proxy.ts";
import { literal } from "../../kube/variable.ts";
import type { Installation } from "../../model/inputs.ts";
import { dataKeys } from "../../model/names.ts";
import type { ServerBase } from "../../model/server-base.ts";
import { caFileVolume, caPathsOf, type Mounted } from "../common/mounted-volume.ts";
import { caReferences, configMapReference, type Reference, secretReference } from "../common/reference.ts";
import { lineProblems, type SecretContent } from "../common/secret-problems.ts";
import {
  type Authentication,
  type AuthenticationMethod,
  plain,
  type SettingsUrl,
  type TokenIssuer,
} from "./authentication.ts";
import { callerToken, kubernetesAuthorization } from "./kubernetes.ts";
import { redisStore, type SessionStore } from "./session-store.ts";
import { signInPage, signInPageName } from "./sign-in-page.ts";

const path = "spec.authentication.oauth2Proxy";

/** The paths of the CA bundles, in oauth2-proxy, in MLflow and in the init containers. */
export const issuerCaPath = "/etc/oauth2-proxy/ca/issuer/ca.crt";
export const clusterCaPath = "/etc/oauth2-proxy/ca/cluster/ca.crt";

/** The ConfigMap in every namespace with the API server's CA bundle. */
const clusterCa = { name: "kube-root-ca.crt", key: "ca.crt" };

/** oauth2-proxy in front of MLflow: browsers sign in at the issuer, programs send a token. */
export function oauth2ProxyMethod(proxy: ProxySettings): AuthenticationMethod {
  const issuers = (installation: Pick<Installation, "clusterDomain">) => issuersOf(proxy, installation);
  const issuerCaFiles = caFiles(proxy);
  const store = proxy.session?.redis && redisStore(proxy.session.redis);
  const kind = choose(proxy.authorization, `${path}.authorization`, {
    allAuthenticatedUsers: (): Pick<AuthenticationMethod, "displayName" | "pod"> => ({
      displayName: "OAuth2Proxy",
      pod: () => plain,
    }),
    kubernetes: () => ({
      displayName: "OAuth2Proxy+Kubernetes",
      pod: (base) =>
        kubernetesAuthorization(
          base,
          base.authorization.usesSubjectAccessReview
            ? forwardedToken(base, issuers(base.source.installation), issuerCaFiles)
            : callerToken,
        ),
    }),
  });
  return {
    displayName: kind.displayName,
    // MLflow answers no unauthenticated client.
    unauthenticated: { publicPath: "/ping", login: { paths: ["/oauth2"], clientID: proxy.clientID } },
    references: references(proxy, store),
    issuers,
    issuerCaFiles,
    urls: urlsOf(proxy),
    certificates: [],
    problems: (content) => secretProblems(proxy, content),
    sessionKeys: [dataKeys.cookieSecret],
    pod: (base, database) => ({
      ...withSignInPage(base, kind.pod(base, database)),
      ...(store && { sessionStore: store }),
    }),
  };
}

function withSignInPage({ addresses }: ServerBase, authentication: Authentication): Authentication {
  const { external } = addresses;
  if (external === undefined || external.prefix === "") return authentication;
  return { ...authentication, files: { ...authentication.files, [signInPageName]: signInPage(external) } };
}

/**
 * Returns the identification of callers by the ID token that oauth2-proxy forwards. The middleware verifies the token again, and
 * uses no header of the client and no concatenated list of groups.
 */
function forwardedToken(
  { proxy, addresses }: ServerBase,
  issuers: readonly TokenIssuer[],
  mounted: readonly Mounted[],
): Authentication {
  /** The settings of python/src/mlflow_operator/kubernetes_identity.py. */
  const settings = {
    issuers: issuers.map(({ issuer, audience, isCluster = false }) => ({ issuer, audience, isCluster })),
    caFiles: caPathsOf(mounted),
    ...proxy?.identity,
    // The path of oauth2-proxy, without the prefix; the redirect target is the path that the browser uses.
    signIn: `/oauth2/start?rd=${encodeURIComponent(`${addresses.prefix}/`)}`,
  };
  return {
    application: "kubernetes-identity",
    env: [literal("MLFLOW_K8S_IDENTITY", JSON.stringify(settings))],
    files: {},
    mounted,
    packages: ["mlflow_kubernetes_plugins", "jwt"],
  };
}

function issuersOf(proxy: ProxySettings, { clusterDomain }: Pick<Installation, "clusterDomain">): TokenIssuer[] {
  const { issuerURL, clientID, extraJWTIssuers = [], acceptServiceAccountTokens: ofCluster } = proxy;
  const ca = `${path}.ca`;
  const apiServer = ofCluster?.issuer ?? `https://kubernetes.default.svc.${clusterDomain}`;
  return [
    { issuer: issuerURL, audience: clientID, path: `${path}.issuerURL`, ca },
    ...extraJWTIssuers.map(({ issuer, audience }, index) => ({
      issuer,
      audience,
      path: `${path}.extraJWTIssuers[${index}]`,
      ca,
    })),
    ...(ofCluster === undefined
      ? []
      : [
          {
            issuer: apiServer,
            audience: ofCluster.audience ?? apiServer,
            path: `${path}.acceptServiceAccountTokens`,
            ca,
            isCluster: true as const,
          },
        ]),
  ];
}

function caFiles({ ca, acceptServiceAccountTokens }: ProxySettings): Mounted[] {
  return [
    ...(ca === undefined ? [] : [caFileVolume("ca-issuer", ca, issuerCaPath)]),
    ...(acceptServiceAccountTokens === undefined
      ? []
      : [caFileVolume("ca-cluster", { configMapRef: clusterCa }, clusterCaPath)]),
  ];
}

function references(
  { clientSecretRef: clientSecret, ca, acceptServiceAccountTokens }: ProxySettings,
  store: SessionStore | undefined,
) {
  const all: Reference[] = [
    ...(clientSecret === undefined
      ? []
      : [{ ...secretReference(clientSecret.name, [clientSecret.key], `${path}.clientSecretRef`), isReread: true }]),
    ...caReferences(ca, `${path}.ca`),
    ...(store?.references ?? []),
    ...(acceptServiceAccountTokens === undefined
      ? []
      : [configMapReference(clusterCa.name, [clusterCa.key], `${path}.acceptServiceAccountTokens`)]),
  ];
  return all;
}

function urlsOf({ issuerURL, redirectURL, acceptServiceAccountTokens, session, extraJWTIssuers = [] }: ProxySettings) {
  const named = (field: string, url: string | undefined): SettingsUrl[] =>
    url === undefined ? [] : [{ path: `${path}.${field}`, url }];
  return [
    ...named("issuerURL", issuerURL),
    ...named("redirectURL", redirectURL),
    ...named("acceptServiceAccountTokens.issuer", acceptServiceAccountTokens?.issuer),
    ...named("session.redis.url", session?.redis?.url).map((each) => ({ ...each, isPeer: true as const })),
    ...extraJWTIssuers.flatMap(({ issuer }, index) => named(`extraJWTIssuers[${index}].issuer`, issuer)),
  ];
}

function secretProblems({ clientSecretRef: clientSecret, session }: ProxySettings, content: SecretContent): string[] {
  const password = session?.redis?.passwordSecretRef;
  const optional = (what: string, field: string) => `write ${what}, or leave out ${path}.${field}`;
  return lineProblems(
    [
      ...(clientSecret === undefined
        ? []
        : [{ ...clientSecret, remedy: `${optional("the client's secret", "clientSecretRef")} for a public client` }]),
      ...(password === undefined
        ? []
        : [{ ...password, remedy: optional("the password", "session.redis.passwordSecretRef") }]),
    ],
    content,
  );
}
