import { bitnami } from "./bitnami.ts";
import type { Chart } from "./chart.ts";
import { community } from "./community.ts";
import { odh } from "./odh.ts";
import { official } from "./official.ts";

/** The charts whose values can be converted. */
export const charts: readonly Chart[] = [community, bitnami, official, odh];
