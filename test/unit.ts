/**
 * Declares the tests of several files, which then run in one process: starting a process and importing the same modules takes most of the
 * time of a short file. Each file must leave the process as it found it.
 */
import { pathToFileURL } from "node:url";
import { z } from "zod";
import { unitFilesVariable } from "./support/tiers.ts";

const files = z.array(z.string()).parse(JSON.parse(process.env[unitFilesVariable] ?? "[]"));
for (const file of files) await import(pathToFileURL(file).href);
