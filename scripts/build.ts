/**
 * Builds dist/: the operator and its command line as one tree-shaken ES module, with chunks for modules that are loaded on demand.
 * With --outdir <folder> it builds the same into another folder, with --single-file <folder> one file without chunks.
 */
import { chmod, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { pythonTexts } from "../src/resources/python-programs.ts";
import { thirdPartyLicenses } from "./third-party-licenses.ts";

const clientNode = "@kubernetes/client-node";

const { "single-file": singleFile, outdir: folder = "dist" } = parseArgs({
  options: { "single-file": { type: "string" }, outdir: { type: "string" } },
}).values;
const outdir = singleFile ?? folder;

await rm(outdir, { recursive: true, force: true });
const { metafile } = await build({
  metafile: true,
  // A single file is for an executable, which has its own version of Node.
  entryPoints: { "mlflow-operator": singleFile === undefined ? "src/entry.ts" : "src/main.ts" },
  outdir,
  bundle: true,
  splitting: singleFile === undefined,
  format: "esm",
  platform: "node",
  target: "node24",
  minifySyntax: true,
  legalComments: "none",
  // CommonJS dependencies call require() for Node's built-in modules.
  banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
  // The operator reads no file of python/src.
  define: { bundledPythonTexts: JSON.stringify(JSON.stringify(pythonTexts)) },
  plugins: [
    {
      // @kubernetes/client-node does not declare that its modules have no side effects; they have none, so unused ones are removed.
      name: "without-side-effects",
      setup: (context) => {
        context.onResolve({ filter: /./ }, async ({ path, ...args }) => {
          const isOfClient = path === clientNode || args.importer.includes(`/node_modules/${clientNode}/`);
          if (!isOfClient || args.pluginData === "resolved") return undefined;
          const found = await context.resolve(path, { ...args, pluginData: "resolved" });
          return { ...found, sideEffects: false };
        });
      },
    },
  ],
});
await chmod(join(outdir, "mlflow-operator.js"), 0o755);
await writeFile(join(outdir, "THIRD-PARTY-LICENSES"), await thirdPartyLicenses(metafile));
