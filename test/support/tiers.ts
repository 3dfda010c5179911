import { existsSync } from "node:fs";
import { glob } from "node:fs/promises";
import { join, relative, resolve, sep } from "node:path";

/**
 * Tiers that enumerate or generate many cases, start programs or need an environment, by their folder in `test/`. All other tests are
 * in the tier `unit`, which does none of that.
 */
export const heavyTiers = [
  "properties",
  "programs",
  "oauth2-proxy",
  "chart",
  "apiserver",
  "live",
  "ipv6",
  "mesh",
] as const;

/**
 * Long tests of variants and of many faults. A run without arguments leaves them out, because all tests together take longer than CI allows; `extended`
 * picks them, as the scheduled run of CI does.
 */
export const extendedTests: readonly string[] = [
  ...["crash", "faults", "labelled-content", "skew"].map((name) => `apiserver/operator/${name}`),
  ...["artifact-server", "backup-schedule", "chart-release", "cloud-stores", "endpoint-secured"].map(
    (name) => `live/${name}`,
  ),
  ...["environment", "prefix-without-proxy", "rotation", "rotation-database-ca", "rotation-login"].map(
    (name) => `live/${name}`,
  ),
  "live/upgrade-killed",
  "ipv6/quick-start",
];

/** Environment variable for the absolute paths of the files that `test/unit.ts` declares, as JSON. */
export const unitFilesVariable = "MLFLOW_OPERATOR_TEST_FILES";

export interface Tier {
  readonly name: string;
  /** Absolute paths, sorted. */
  readonly files: readonly string[];
}

/**
 * Returns the tiers and files for the arguments of the test command: names of tiers, folders in `test/` (such as `chart`), or paths
 * of test files or folders. Without arguments: all but the extended ones. In the order in which they run, `unit` first. Throws for
 * another argument.
 */
export async function chosenTiers(root: string, args: readonly string[]): Promise<readonly Tier[]> {
  const testFolder = join(root, "test");
  const all: string[] = [];
  for await (const file of glob("**/*.test.ts", { cwd: testFolder })) all.push(join(testFolder, file));
  const picks = args.map((arg) => pickedBy(arg, testFolder));
  const isPicked = picks.length === 0 ? (file: string) => !isExtended(file, testFolder) : anyOf(picks);
  const chosen = all.sort().filter(isPicked);
  return ["unit", ...heavyTiers]
    .map((name) => ({ name, files: chosen.filter((file) => tierOf(file, testFolder) === name) }))
    .filter(({ files }) => files.length > 0);
}

function tierOf(file: string, testFolder: string): string {
  const [folder] = relative(testFolder, file).split(sep);
  return heavyTiers.find((tier) => tier === folder) ?? "unit";
}

function isExtended(file: string, testFolder: string): boolean {
  return extendedTests.some((name) => file === join(testFolder, `${name}.test.ts`));
}

function anyOf(picks: readonly ((file: string) => boolean)[]): (file: string) => boolean {
  return (file) => picks.some((pick) => pick(file));
}

function pickedBy(arg: string, testFolder: string): (file: string) => boolean {
  if (arg === "unit" || heavyTiers.some((tier) => tier === arg)) return (file) => tierOf(file, testFolder) === arg;
  if (arg === "extended") return (file) => isExtended(file, testFolder);
  const path = [join(testFolder, arg), resolve(arg)].find((candidate) => existsSync(candidate));
  if (!path)
    throw new Error(
      `"${arg}" is neither a tier (unit, ${heavyTiers.join(", ")}, extended) nor a test file or folder: name one of these.`,
    );
  return (file) => file === path || file.startsWith(`${path}${sep}`);
}
