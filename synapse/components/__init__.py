"""Component resources: the plan's workloads as Kubernetes objects, one file a stack."""
