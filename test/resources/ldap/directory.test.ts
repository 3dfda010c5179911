import { pythonTests } from "./python-tests.ts";

pythonTests("who gets in, by a real directory", ["test_names", "test_memory", "test_directory"]);
