"""`make policy`: a stack judged by the policy pack, as a table and as reports for CI."""
