"""The operator's ASGI middleware around MLflow's application, the same with every authentication method."""
