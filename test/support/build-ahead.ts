import { crdValidator, validatedVersions } from "../chart/crd-validators.ts";
import { kustomizeController } from "../chart/flux.ts";
import { helmProgram } from "../chart/helm.ts";
import { kstatusProgram } from "../chart/kstatus-program.ts";
import { releasePrograms } from "../chart/release-programs.ts";
import { azuriteProgram, fakeGcsProgram } from "../cluster/cloud-stores.ts";
import { gatewayImages } from "../cluster/gateway/install-gateway.ts";
import { archiveOf } from "../cluster/image-archive.ts";
import { imageNamed } from "../cluster/image-catalogue.ts";
import { keycloakImage } from "../cluster/keycloak.ts";
import { oauth2ProxyProgram } from "../cluster/oauth2-proxy.ts";
import { installPackages, missingPackages } from "../cluster/packages.ts";
import { clusterPrograms } from "../cluster/programs.ts";
import { versitygwProgram } from "../cluster/versitygw.ts";
import { controlPlaneBinaries, type Report } from "../control-plane/binaries.ts";
import { goPrograms } from "../control-plane/go-programs.ts";
import { otelcol } from "../live/collector-image.ts";
import { liveImages } from "../live/live-cluster.ts";

/**
 * Builds the programs of all `tiers` concurrently, so that no tier waits for its build. A failed build is repeated
 * by its tier, which reports the failure.
 */
export async function buildPrograms(tiers: readonly string[], report: Report): Promise<void> {
  const isFor = (...names: readonly string[]) => names.some((name) => tiers.includes(name));
  // The slowest first. The programs of a cluster include those of a control plane.
  const builds: (() => Promise<unknown>)[] = [];
  const hasCluster = isFor("live", "ipv6") && missingPackages() === undefined;
  if (hasCluster) builds.push(() => clusterPrograms(report));
  else if (isFor("chart", "apiserver")) builds.push(() => controlPlaneBinaries(report));
  if (hasCluster)
    builds.push(
      () => goPrograms(otelcol, report),
      () => gatewayImages(report),
      () => versitygwProgram(report),
      () => fakeGcsProgram(report),
      () => azuriteProgram(report),
    );
  if (isFor("chart") || hasCluster) builds.push(() => helmProgram(report));
  if (isFor("chart"))
    builds.push(
      () => releasePrograms(report),
      () => kstatusProgram(report),
      () => kustomizeController(report),
    );
  if (isFor("chart")) for (const version of await validatedVersions()) builds.push(() => crdValidator(version, report));
  if (isFor("oauth2-proxy") || hasCluster) builds.push(() => oauth2ProxyProgram(report));
  await Promise.allSettled(builds.map((build) => build()));
}

/** Builds the images of the live tier, without a running cluster. A failed build is repeated by the tier, which reports the failure. */
export async function buildImages(report: Report): Promise<void> {
  if (missingPackages()) return;
  try {
    await installPackages(report);
    for (const name of liveImages) await archiveOf(imageNamed(name), report);
    await archiveOf(await keycloakImage(report), report);
  } catch {}
}
