"""Logs a run with the token of a kubeconfig, without a mounted ServiceAccount, once for each attempt in the argument, which is JSON.

The token comes from an exec plugin, which prints the content of the file `token` next to the kubeconfig. Prints, as JSON in the
last line, the id of each run or the error, and the number of calls of the plugin.
"""

import json
import os
import pathlib
import sys

home = pathlib.Path("/tmp/kube")
home.mkdir(exist_ok=True)
kubeconfig, plugin, calls = home / "config", home / "exec-plugin.py", home / "calls"
# The Kubernetes client reads this variable when it is imported.
os.environ["KUBECONFIG"] = str(kubeconfig)

import mlflow  # noqa: E402

calls.write_text("")
plugin.write_text(f"""
import json, os, pathlib
with open("{calls}", "a") as calls:
    calls.write("x")
info = json.loads(os.environ["KUBERNETES_EXEC_INFO"])
token = pathlib.Path("{home}/token").read_text().strip()
print(json.dumps({{"apiVersion": info["apiVersion"], "kind": "ExecCredential", "status": {{"token": token}}}}))
""")
credential = {
    "apiVersion": "client.authentication.k8s.io/v1",
    "command": sys.executable,
    "args": ["-I", str(plugin)],
    "interactiveMode": "Never",
}
found = {}
for title, attempt in json.loads(sys.argv[1]).items():
    context = {"cluster": "cluster", "user": "user", **attempt.get("context", {})}
    kubeconfig.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "cluster", "cluster": {"server": "https://127.0.0.1:1"}}],
                "users": [{"name": "user", "user": {} if attempt.get("hasNoToken") else {"exec": credential}}],
                # MLflow caches tokens by the name of the context.
                "contexts": [{"name": title, "context": context}],
                "current-context": title,
            }
        )
    )
    os.environ["MLFLOW_TRACKING_AUTH"] = attempt["provider"]
    mlflow.set_workspace(attempt.get("workspace"))
    try:
        mlflow.set_experiment("by-kubeconfig")
        with mlflow.start_run() as run:
            mlflow.log_metric("loss", 0.5)
        found[title] = run.info.run_id
    except mlflow.MlflowException as error:
        found[title] = f"{error.error_code}: {error}"
print(json.dumps({**found, "calls": len(calls.read_text())}))
