import { pythonTests } from "./python-tests.ts";

pythonTests("the function in a real MLflow server, on a real directory", ["test_server"]);
