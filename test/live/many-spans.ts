import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { Mlflow } from "./mlflow.ts";

/** What is logged: traces of a chat model, each with the same number of spans. */
export interface ManySpans {
  readonly traces: number;
  readonly spansOfTrace: number;
}

const tracesOfRequest = 50;
/** As many as the server has workers, and one that waits. */
const clients = 3;

/** Logs traces by OTLP over HTTP, several with each request, as a collector does. */
export async function logSpans(
  mlflow: Mlflow,
  experimentId: string,
  { traces, spansOfTrace }: ManySpans,
): Promise<void> {
  const headers = { "x-mlflow-experiment-id": experimentId };
  let next = 0;
  const client = async () => {
    while (next < traces) {
      const first = next;
      next += tracesOfRequest;
      const numbers = Array.from({ length: Math.min(tracesOfRequest, traces - first) }, (_, index) => first + index);
      const spans = numbers.flatMap((trace) => spansIn(trace, spansOfTrace));
      const body = { resourceSpans: [{ resource: {}, scopeSpans: [{ scope: { name: "tests" }, spans }] }] };
      const answer = await mlflow.call("POST", "/v1/traces", { body, headers });
      assert.equal(answer.status, 200, answer.body);
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
}

const startOfTraces = 1_790_000_000_000;

function spansIn(trace: number, count: number): object[] {
  const traceId = digest(`trace ${trace}`).slice(0, 32);
  const idOf = (span: number) => digest(`span ${trace} ${span}`).slice(0, 16);
  const nanoseconds = (milliseconds: number) => `${BigInt(startOfTraces + trace * 1000 + milliseconds) * 1_000_000n}`;
  return Array.from({ length: count }, (_, span) => ({
    traceId,
    spanId: idOf(span),
    ...(span > 0 && { parentSpanId: idOf(0) }),
    name: span === 0 ? "agent" : `step ${span}`,
    kind: 1,
    startTimeUnixNano: nanoseconds(span),
    endTimeUnixNano: nanoseconds(span === 0 ? 900 : span + 10),
    status: { code: 1 },
    attributes: span === 0 ? attributesOfTrace(trace) : attributesOfCall(trace, span),
  }));
}

function attributesOfTrace(trace: number) {
  return [
    text("session.id", `session ${trace % 97}`),
    text("mlflow.spanInputs", `Frage ${trace}: wie lange dauert die Migration? 模型 🚀`),
    text("mlflow.spanOutputs", `answer ${digest(`answer ${trace}`)}`),
  ];
}

/** Attributes from which the migration to 3.17 fills columns. */
function attributesOfCall(trace: number, span: number) {
  const [input, output] = [(trace * 7 + span) % 1000, (trace * 3 + span) % 500];
  const cost = { input_cost: input / 1e6, output_cost: output / 5e5, total_cost: input / 1e6 + output / 5e5 };
  return [
    text("mlflow.spanType", "CHAT_MODEL"),
    text("mlflow.spanInputs", `input ${digest(`input ${trace} ${span}`)}`),
    text("mlflow.llm.model", `model-${(trace + span) % 5}`),
    text("mlflow.llm.provider", `provider-${span % 2}`),
    map(
      "mlflow.chat.tokenUsage",
      { input_tokens: input, output_tokens: output, total_tokens: input + output },
      "intValue",
    ),
    map("mlflow.llm.cost", cost, "doubleValue"),
  ];
}

function text(key: string, stringValue: string) {
  return { key, value: { stringValue } };
}

function map(key: string, fields: Readonly<Record<string, number>>, kind: "intValue" | "doubleValue") {
  const values = Object.entries(fields).map(([key, value]) => ({ key, value: { [kind]: value } }));
  return { key, value: { kvlistValue: { values } } };
}

function digest(of: string): string {
  return createHash("sha256").update(of).digest("hex");
}
