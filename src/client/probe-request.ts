import { type ClientRequest, request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import { timerMilliseconds } from "../kube/client/backoff.ts";
import type { ProbeAnswer, ProbeRequest, SendProbe } from "../reconcile/probe.ts";

/** Longer bodies are not read: a probe needs the beginning only. */
const bytesRead = 300;

/** Sends a probe over the network, on a separate connection, without following redirects. */
export const sendProbe: SendProbe = (probe, timeoutSeconds) =>
  sent(probe, timeoutSeconds).catch((error: NodeJS.ErrnoException) => failureOf(error, false));

function sent(probe: ProbeRequest, timeoutSeconds: number): Promise<ProbeAnswer> {
  return new Promise((resolve) => {
    const answered = (answer: ProbeAnswer) => {
      clearTimeout(timer);
      resolve(answer);
    };
    const outgoing = started(probe, (response) => void answerOf(response, outgoing).then(answered));
    const timer = setTimeout(() => {
      resolve({ kind: "unanswered", why: `no response within ${timeoutSeconds} s` });
      outgoing.destroy();
    }, timerMilliseconds(timeoutSeconds));
    let isConnected = false;
    outgoing.on("socket", (socket) =>
      // With TLS, a handshake that fails is no answer.
      socket.once(probe.scheme === "https" ? "secureConnect" : "connect", () => {
        isConnected = true;
      }),
    );
    // Without a listener Node closes the connection after status 101, and reports neither a response nor an error.
    outgoing.on("upgrade", (response, socket) => {
      answered(responseOf(response, ""));
      socket.destroy();
    });
    outgoing.on("error", (error: NodeJS.ErrnoException) => answered(failureOf(error, isConnected)));
    outgoing.end();
  });
}

function started(
  { endpoint: { host, port }, scheme, method, path, headers }: ProbeRequest,
  onResponse: (response: IncomingMessage) => void,
): ClientRequest {
  const common: RequestOptions = {
    host,
    port,
    path,
    method,
    headers: { ...(method === "POST" && { "content-length": 0 }), "user-agent": "mlflow-operator", ...headers },
    agent: false,
  };
  if (scheme !== "https") return httpRequest(common, onResponse);
  // A certificate of a private CA, or one that has expired, says nothing about authentication.
  return httpsRequest({ ...common, rejectUnauthorized: false, servername: "" }, onResponse);
}

function answerOf(response: IncomingMessage, outgoing: ClientRequest): Promise<ProbeAnswer> {
  let text = "";
  response.setEncoding("utf8");
  return new Promise((resolve) => {
    const answered = () => resolve(responseOf(response, text));
    response.on("data", (part: string) => {
      text += part.slice(0, bytesRead - text.length);
      if (text.length >= bytesRead) outgoing.destroy();
    });
    response.on("error", answered);
    response.on("close", answered);
  });
}

function responseOf({ statusCode = 0, headers }: IncomingMessage, text: string): ProbeAnswer {
  const { "content-type": contentType = "", location = "" } = headers;
  return { kind: "response", status: statusCode, contentType, location, text };
}

function failureOf({ code = "" }: NodeJS.ErrnoException, isConnected: boolean): ProbeAnswer {
  if (code.startsWith("HPE_")) return { kind: "notHttp" };
  if (isConnected && (code === "ECONNRESET" || code === "EPIPE")) return { kind: "closed" };
  if (code === "ECONNREFUSED") return { kind: "refused" };
  return { kind: "unanswered", why: code || "no connection" };
}
