"""`make bench`: what Synapse costs in time, beside the plain way to do the same.

Every figure is the median of alternated runs (A B A B …), so that what else the machine does at
the time falls on both sides. A ratio or a difference is taken pair by pair.
"""
