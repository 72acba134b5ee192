"""Small programs for the pack: bad ones, each in exactly one way, and good ones.

`good/` and `bad/` hold YAML files with a list of cases each. A case is a list of manifests, or a
variation of another case (`like`), or of our own stack (`like: synapse`, at phase 3). `common.yaml`
stands before each file, so that all may use its anchors.
"""
