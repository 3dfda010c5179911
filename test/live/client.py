"""Uses MLflow's client as a data scientist does: log, search, register, load.

Server and credential are in the environment. The argument is the name of an experiment. Prints the results as JSON in the
last line.
"""

import hashlib
import json
import os
import pathlib
import sys
import tempfile

import mlflow
from sklearn.linear_model import LinearRegression

name = sys.argv[1]
mlflow.set_tracking_uri(os.environ["MLFLOW_TRACKING_URI"])
experiment = mlflow.set_experiment(name)
client = mlflow.MlflowClient()
weights = os.urandom(8 * 1024 * 1024)

with mlflow.start_run(run_name="first") as run, tempfile.TemporaryDirectory() as folder:
    mlflow.log_params({"rate": 0.1, "layers": "3"})
    for step, loss in enumerate([1.0, 0.5, 0.25]):
        mlflow.log_metric("loss", loss, step=step)
    mlflow.set_tag("team", "a")
    mlflow.log_text("kept\n", "notes/note.txt")
    file = pathlib.Path(folder, "weights.bin")
    file.write_bytes(weights)
    mlflow.log_artifact(str(file))
    line = LinearRegression().fit([[0.0], [1.0]], [1.0, 3.0])
    mlflow.sklearn.log_model(line, name="line", registered_model_name=name, pip_requirements=["scikit-learn"])
client.set_registered_model_alias(name, "champion", "1")

with mlflow.start_span("question") as span:
    span.set_inputs({"question": "is it kept?"})
    span.set_outputs({"answer": "it is"})
mlflow.flush_trace_async_logging()

found = mlflow.search_runs(
    experiment_names=[name],
    filter_string="metrics.loss < 0.3 and params.layers = '3' and tags.team = 'a'",
    output_format="list",
)
fetched = pathlib.Path(mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="weights.bin"))
model = mlflow.pyfunc.load_model(f"models:/{name}@champion")
traces = mlflow.search_traces(locations=[experiment.experiment_id], return_type="list")

print(
    json.dumps(
        {
            "client": mlflow.__version__,
            "runId": run.info.run_id,
            "artifactUri": run.info.artifact_uri,
            "found": [
                {"id": each.info.run_id, "params": each.data.params, "loss": each.data.metrics["loss"]}
                for each in found
            ],
            "history": [metric.value for metric in client.get_metric_history(run.info.run_id, "loss")],
            "artifacts": sorted(each.path for each in client.list_artifacts(run.info.run_id)),
            "note": mlflow.artifacts.load_text(f"{run.info.artifact_uri}/notes/note.txt"),
            "isWhole": hashlib.sha256(fetched.read_bytes()).digest() == hashlib.sha256(weights).digest(),
            "versions": [each.version for each in client.search_model_versions(f"name = '{name}'")],
            "predicted": round(float(model.predict([[2.0]])[0]), 6),
            "answers": [trace.data.spans[0].outputs for trace in traces],
        }
    )
)
