"""Tries each operation with MLflow's client as the pod's ServiceAccount, and prints the results as JSON."""

import json
import os
import sys
import time
import uuid

# Asynchronous logging would hide errors.
os.environ["MLFLOW_ENABLE_ASYNC_TRACE_LOGGING"] = "false"

import mlflow
import requests
from mlflow import MlflowClient
from mlflow.entities import GatewayEndpointModelConfig, GatewayModelLinkageType, GatewayResourceType
from mlflow.exceptions import MlflowException

client = MlflowClient()
tracking = client._tracking_client.store


def outcome(work):
    """`done`; `denied`; `nothing` if a search finds no existing object; otherwise the text of the error."""
    try:
        return "nothing" if work() is False else "done"
    except MlflowException as error:
        text = f"{error.error_code} {error.get_http_status_code()} {error}"
        return "denied" if "PERMISSION_DENIED" in text or "Permission denied" in text or " 403 " in text else text
    except requests.HTTPError as error:
        # The result of artifact requests.
        return "denied" if error.response.status_code == 403 else str(error)


def finds(items, wanted):
    """Whether the result of a search contains the object."""
    return any(str(wanted) in str(getattr(item, "__dict__", item)) for item in items)


def fresh():
    return f"tried-{uuid.uuid4().hex[:8]}"


def mcp(name):
    """Returns a valid name of an MCP server."""
    return f"com.example/{name}"


def token():
    with open("/var/run/secrets/kubernetes.io/serviceaccount/token", encoding="utf-8") as file:
        return file.read()


def write_trace(experiment):
    """Writes a trace with OTLP; returns MLflow's trace id."""
    now = time.time_ns()
    trace = uuid.uuid4().hex
    span = {
        "traceId": trace,
        "spanId": uuid.uuid4().hex[:16],
        "name": "tried",
        "kind": 1,
        "startTimeUnixNano": str(now),
        "endTimeUnixNano": str(now + 1000),
    }
    headers = dict(pair.split("=") for pair in os.environ["OTLP_TRACES_HEADERS"].split(","))
    answer = requests.post(
        os.environ["OTLP_TRACES_ENDPOINT"],
        json={"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]},
        headers={**headers, "authorization": f"Bearer {token()}", "x-mlflow-experiment-id": experiment},
        timeout=60,
    )
    if answer.status_code != 200:
        raise MlflowException(f" {answer.status_code} {answer.text}")
    return f"tr-{trace}"


def register_scorer(experiment, name):
    judge = mlflow.genai.make_judge(name=name, instructions="Is {{ outputs }} polite?", model="openai:/none")
    tracking.register_scorer(experiment, name, json.dumps(judge.model_dump()))


def model_version(name, run):
    return client.create_model_version(name, f"runs:/{run}/model", run_id=run).version


def create_webhook(name):
    """Returns a public address, which MLflow requires; it is never called."""
    return client.create_webhook(name, "https://1.1.1.1/", ["model_version_tag.deleted"], status="DISABLED")


def prepare():
    """Creates one object of each kind, and a second one of those that can be deleted. Requires the role Admin."""
    name = fresh()
    experiment = client.create_experiment(name)
    run = client.create_run(experiment)
    run_id = run.info.run_id
    client.log_metric(run_id, "loss", 0.5)
    client.log_text(run_id, "kept", "note.txt")
    client.create_registered_model(name)
    version = model_version(name, run_id)
    client.set_registered_model_alias(name, "best", version)
    mlflow.genai.register_prompt(f"{name}-prompt", "Hello {{ who }}")
    trace = write_trace(experiment)
    register_scorer(experiment, name)
    dataset = client.create_dataset(name, [experiment])
    secret = tracking.create_gateway_secret(name, {"api_key": "none"}, provider="openai")
    definition = tracking.create_gateway_model_definition(name, secret.secret_id, "openai", "gpt-none")
    spare = fresh()
    client.create_registered_model(spare)
    client.create_mcp_server(mcp(name))
    client.create_mcp_server(mcp(spare))
    client.create_mcp_server_version({"name": mcp(name), "version": "1.0.0", "description": "x"}, tools=[])
    client.create_mcp_access_endpoint(mcp(name), f"https://1.1.1.1/{name}", server_version="1.0.0")
    return {
        "name": name,
        "spare": spare,
        "experiment": experiment,
        "spare_experiment": client.create_experiment(spare),
        "run": run_id,
        "owner": run.info.user_id,
        "spare_run": client.create_run(experiment).info.run_id,
        "version": version,
        "spare_version": model_version(name, run_id),
        "trace": trace,
        "spare_trace": write_trace(experiment),
        "assessment": mlflow.log_feedback(trace_id=trace, name="good", value=True).assessment_id,
        "model": client.create_logged_model(experiment, name=name).model_id,
        "spare_model": client.create_logged_model(experiment, name=spare).model_id,
        "dataset": dataset.dataset_id,
        "spare_dataset": client.create_dataset(spare).dataset_id,
        "webhook": create_webhook(spare).webhook_id,
        "secret": secret.secret_id,
        "definition": definition.model_definition_id,
        "endpoint": create_endpoint(name, definition.model_definition_id).endpoint_id,
    }


def create_endpoint(name, definition):
    config = GatewayEndpointModelConfig(definition, GatewayModelLinkageType.PRIMARY, 1.0)
    return tracking.create_gateway_endpoint(name, [config], usage_tracking=False)


def operations(there):
    """Returns the operations by group; deletes last. Each name is a row of the table in the test."""
    name, experiment, run = there["name"], there["experiment"], there["run"]
    trace, model, dataset = there["trace"], there["model"], there["dataset"]
    every = {"experiment_ids": [experiment]}
    return {
        "see the workspace": lambda: finds(client.list_workspaces(), os.environ["MLFLOW_WORKSPACE"]),
        "read an experiment": lambda: client.get_experiment(experiment),
        "find experiments": lambda: finds(client.search_experiments(), name),
        "create an experiment": lambda: client.create_experiment(fresh()),
        "tag an experiment": lambda: client.set_experiment_tag(experiment, "a", "b"),
        "rename an experiment": lambda: client.rename_experiment(experiment, fresh()),
        "read a run": lambda: client.get_run(run),
        "find runs": lambda: finds(client.search_runs([experiment]), run),
        "read the history of a metric": lambda: client.get_metric_history(run, "loss"),
        "create a run": lambda: client.create_run(experiment),
        "log a metric": lambda: client.log_metric(run, "loss", 0.4),
        "log a parameter": lambda: client.log_param(run, fresh(), "1"),
        "log a batch": lambda: client.log_batch(run, tags=[mlflow.entities.RunTag("a", "b")]),
        "tag a run": lambda: client.set_tag(run, "a", "b"),
        "delete a tag of a run": lambda: client.set_tag(run, "c", "d") or client.delete_tag(run, "c"),
        "list artifacts": lambda: finds(client.list_artifacts(run), "note.txt"),
        "download an artifact": lambda: client.download_artifacts(run, "note.txt", "/tmp"),
        "upload an artifact": lambda: client.log_text(run, "more", "more.txt"),
        "read a logged model": lambda: client.get_logged_model(model),
        "find logged models": lambda: finds(client.search_logged_models([experiment]), model),
        "create a logged model": lambda: client.create_logged_model(experiment),
        "tag a logged model": lambda: tracking.set_logged_model_tags(model, [mlflow.entities.LoggedModelTag("a", "b")]),
        "finish a logged model": lambda: client.finalize_logged_model(model, "READY"),
        "write a trace": lambda: write_trace(experiment),
        "read a trace": lambda: client.get_trace(trace),
        "find traces": lambda: finds(client.search_traces([experiment], include_spans=False), trace),
        "tag a trace": lambda: client.set_trace_tag(trace, "a", "b"),
        "read an assessment": lambda: mlflow.get_assessment(trace, there["assessment"]),
        "assess a trace": lambda: mlflow.log_feedback(trace_id=trace, name="bad", value=False),
        "delete an assessment": lambda: mlflow.delete_assessment(trace, there["assessment"]),
        "list scorers": lambda: finds(tracking.list_scorers(experiment), name),
        "register a scorer": lambda: register_scorer(experiment, fresh()),
        "read a dataset": lambda: client.get_dataset(dataset),
        "find datasets": lambda: finds(client.search_datasets(**every), name),
        "create a dataset": lambda: client.create_dataset(fresh()),
        "tag a dataset": lambda: client.set_dataset_tags(dataset, {"a": "b"}),
        "add records to a dataset": lambda: tracking.upsert_dataset_records(dataset, [{"inputs": {"q": "a"}}]),
        "read a model": lambda: client.get_registered_model(name),
        "find models": lambda: finds(client.search_registered_models(), name),
        "find versions": lambda: finds(client.search_model_versions(), name),
        "read a version by its alias": lambda: client.get_model_version_by_alias(name, "best"),
        "create a model": lambda: client.create_registered_model(fresh()),
        "tag a model": lambda: client.set_registered_model_tag(name, "a", "b"),
        "create a version": lambda: model_version(name, run),
        "set an alias": lambda: client.set_registered_model_alias(name, "new", there["version"]),
        "delete an alias": lambda: client.delete_registered_model_alias(name, "best"),
        "read a prompt": lambda: client.get_prompt_version(f"{name}-prompt", "1"),
        "find prompts": lambda: finds(client.search_prompts(), name),
        "register a prompt": lambda: mlflow.genai.register_prompt(fresh(), "Hello"),
        "list webhooks": lambda: finds(client.list_webhooks(), there["webhook"]),
        "create a webhook": lambda: create_webhook(fresh()),
        "read an MCP server": lambda: client.get_mcp_server(mcp(name)),
        "find MCP servers": lambda: finds(client.search_mcp_servers(), name),
        "create an MCP server": lambda: client.create_mcp_server(mcp(fresh())),
        "list endpoints of the gateway": lambda: finds(tracking.list_gateway_endpoints(), name),
        "list model definitions of the gateway": lambda: finds(tracking.list_gateway_model_definitions(), name),
        "list secrets of the gateway": lambda: finds(tracking.list_secret_infos(), name),
        "create a secret of the gateway": lambda: tracking.create_gateway_secret(
            fresh(), {"api_key": "none"}, "openai"
        ),
        "create a model definition of the gateway": lambda: tracking.create_gateway_model_definition(
            fresh(), there["secret"], "openai", "gpt-none"
        ),
        "create an endpoint of the gateway": lambda: create_endpoint(fresh(), there["definition"]),
        "bind an endpoint of the gateway": lambda: tracking.create_endpoint_binding(
            there["endpoint"], GatewayResourceType.SCORER, fresh()
        ),
        "delete a run": lambda: client.delete_run(there["spare_run"]),
        "delete a trace": lambda: client.delete_traces(experiment, trace_ids=[there["spare_trace"]]),
        "delete a logged model": lambda: client.delete_logged_model(there["spare_model"]),
        "delete a scorer": lambda: tracking.delete_scorer(experiment, name),
        "delete a version": lambda: client.delete_model_version(name, there["spare_version"]),
        "delete a webhook": lambda: client.delete_webhook(there["webhook"]),
        "delete an experiment": lambda: client.delete_experiment(there["spare_experiment"]),
        "delete a dataset": lambda: client.delete_dataset(there["spare_dataset"]),
        "delete a model": lambda: client.delete_registered_model(there["spare"]),
        "delete an MCP server": lambda: client.delete_mcp_server(mcp(there["spare"])),
        "delete an endpoint of the gateway": lambda: tracking.delete_gateway_endpoint(there["endpoint"]),
    }


def main():
    match sys.argv[1:]:
        case ["prepare"]:
            print(json.dumps(prepare()))
        case ["write", experiment]:
            print(json.dumps(outcome(lambda: client.create_run(experiment))))
        case [there]:
            print(json.dumps({what: outcome(work) for what, work in operations(json.loads(there)).items()}))


main()
