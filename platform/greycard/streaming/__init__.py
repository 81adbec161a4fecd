"""Images streamed through stages on Ray Data: session, stages, pipeline. The one folder that imports ray.data."""
