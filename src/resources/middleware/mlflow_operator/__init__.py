"""What the operator puts around MLflow's application: one ASGI layer, the same with every authentication method."""
