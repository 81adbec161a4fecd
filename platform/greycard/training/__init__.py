"""What a model minimises (objectives) and how (one plain loop). No Ray, no MLflow: jobs bring those."""
