import { choice } from "../api/choose.ts";
import type { MlflowServerSpec } from "../api/spec.ts";

/** Whether Kubernetes RBAC authorizes callers, with or without oauth2-proxy. */
export function isAuthorizedByKubernetes({ authentication }: MlflowServerSpec): boolean {
  const { kubernetes, oauth2Proxy } = authentication;
  return kubernetes !== undefined || oauth2Proxy?.authorization.kubernetes !== undefined;
}

/** Whether MLflow creates SubjectAccessReviews for the verified identity, instead of SelfSubjectAccessReviews with the caller's token. */
export function usesSubjectAccessReview({ authentication }: MlflowServerSpec): boolean {
  const { kubernetes } = authentication.oauth2Proxy?.authorization ?? {};
  if (kubernetes === undefined) return false;
  const { accessReview = "SelfSubjectAccessReview" } = kubernetes;
  const path = "spec.authentication.oauth2Proxy.authorization.kubernetes.accessReview";
  return choice(accessReview, path, { SelfSubjectAccessReview: false, SubjectAccessReview: true });
}
