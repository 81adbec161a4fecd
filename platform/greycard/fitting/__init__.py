"""One model trained as a Ray task, and a job of many of them: the only folder that imports ray.train."""
