import type { MlflowServer } from "../src/api/server.ts";
import { chromium } from "./chromium.ts";
import type { LoggedRun } from "./client.ts";
import type { Kubectl } from "./kubectl.ts";
import { screenshot } from "./screenshot.ts";

export interface RunScreenshot {
  readonly server: MlflowServer;
  readonly run: LoggedRun;
  /** The local port that is forwarded to the server. */
  readonly port: number;
  /** Path of the PNG file. */
  readonly path: string;
}

/** Takes a screenshot of a run as the administrator. A missing browser is reported and is not a failure. */
export async function screenshotRun(
  kubectl: Kubectl,
  { server, run, port, path }: RunScreenshot,
  say: (line: string) => void,
) {
  let program: string;
  try {
    program = await chromium(say);
  } catch (error) {
    say(`no screenshot: ${error instanceof Error ? error.message : String(error)}`);
    return;
  }
  say("opening the run in a browser");
  const { namespace = "default" } = server.metadata;
  const secret = ["get", "secret", "--namespace", namespace, server.status?.adminCredentialsSecretRef?.name ?? ""];
  const data: Record<string, string> = JSON.parse(await kubectl([...secret, "-o", "jsonpath={.data}"]));
  const text = (key: string) => Buffer.from(data[key] ?? "", "base64").toString("utf8");
  const login = { username: text("username"), password: text("password") };
  const charts = `experiments/${run.experimentId}/runs/${run.runId}/model-metrics?workflowType=machine_learning`;
  const url = `http://localhost:${port}/#/${charts}`;
  await screenshot(
    program,
    { url, login, texts: ["first-run", "accuracy", "loss"], drawn: ".js-plotly-plot .trace" },
    path,
  );
  say(`screenshot of MLflow's UI: ${path}`);
}
