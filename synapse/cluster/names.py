"""Names that objects on the cluster carry, for rooms that must not load Pulumi to know them."""

GPU_RESOURCE = "nvidia.com/gpu"
GPU_PRODUCT_LABEL = "nvidia.com/gpu.product"
MODEL_ANNOTATION = "synapse/model"
