"""Documents that are made from the models, so that no default stands twice."""
